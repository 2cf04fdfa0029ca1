import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { Random } from '@localgrad/nn/random';
import type { Geometry, GeometryRule, Region } from './decode.js';

/** Random geometry of training images. */
export interface CropOptions {
  /** Height and width of the result. */
  readonly size: number;
  /** Fraction of the image's area, lower and upper bound. Default [0.08, 1]. */
  readonly area?: readonly [number, number];
  /** Width / height, lower and upper bound. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
  /** Flip horizontally with probability ½. Default true. */
  readonly flip?: boolean;
}

/**
 * A random rectangle with torchvision's distribution (RandomResizedCrop): area uniform, ratio log-uniform, position uniform;
 * after ten rectangles that do not fit, it is the largest central one within the bounds of the ratio.
 */
export function randomRegion(
  height: number,
  width: number,
  random: Random,
  { area = [0.08, 1], ratio = [3 / 4, 4 / 3] }: Pick<CropOptions, 'area' | 'ratio'> = {},
): Region {
  const [lowest, highest] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const target = height * width * (area[0] + (area[1] - area[0]) * random.uniform());
    const aspect = Math.exp(lowest + (highest - lowest) * random.uniform());
    const [w, h] = [roundHalfToEven(Math.sqrt(target * aspect)), roundHalfToEven(Math.sqrt(target / aspect))];
    if (w > 0 && w <= width && h > 0 && h <= height) {
      return { top: random.integer(height - h + 1), left: random.integer(width - w + 1), height: h, width: w };
    }
  }
  const found = width / height;
  let [w, h] = [width, height];
  if (found < ratio[0]) h = roundHalfToEven(width / ratio[0]);
  else if (found > ratio[1]) w = roundHalfToEven(height * ratio[1]);
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}

/** @throws LocalgradError `invalid-option` */
export function checkCrop(where: string, crop: Omit<CropOptions, 'size'>): void {
  rejectUnknownKeys(`${where}, augmentation`, crop, ['area', 'ratio', 'flip']);
  const { area, ratio, flip = false } = crop;
  const isRange = (value: unknown, most: number) =>
    value === undefined ||
    (Array.isArray(value) && value.length === 2 && value[0] > 0 && value[0] <= value[1] && value[1] <= most);
  requireOption(isRange(area, 1), where, 'area', area, 'two numbers, 0 < lower ≤ upper ≤ 1');
  requireOption(isRange(ratio, Number.MAX_VALUE), where, 'ratio', ratio, 'two numbers, 0 < lower ≤ upper');
  requireOption(typeof flip === 'boolean', where, 'flip', flip, 'true, false');
}

/** The geometry of one training image. */
export function trainingGeometry({ size, flip = true, ...bounds }: CropOptions, random: Random): GeometryRule {
  return (height, width) => {
    const region = randomRegion(height, width, random, bounds);
    return { region, resize: [size, size], flip: random.uniform() < 0.5 && flip };
  };
}

/** Resizes the shorter side to `shorter`, then takes the central square of `size`: torchvision's evaluation. */
export function centralGeometry(size: number, shorter = size): GeometryRule {
  requireOption(
    Number.isInteger(shorter) && shorter >= size,
    'centralGeometry',
    'shorter',
    shorter,
    `integers ≥ ${size}, the size`,
  );
  return (height, width): Geometry => {
    const isTall = height > width;
    const longer = Math.floor((shorter * Math.max(height, width)) / Math.min(height, width));
    const [h, w] = isTall ? [longer, shorter] : [shorter, longer];
    const top = roundHalfToEven((h - size) / 2);
    const left = roundHalfToEven((w - size) / 2);
    return { resize: [h, w], crop: { top, left, height: size, width: size } };
  };
}

/** Rounds half to even, as Python does. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
