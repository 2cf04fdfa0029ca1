import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import { type ImageSize, sidesOf } from '@localgrad/data';
import type { Random } from '@localgrad/nn/random';
import type { Geometry, GeometryRule, Region } from './decode.js';

/** Random geometry of training images. */
export interface CropOptions {
  /** Height and width of the result. */
  readonly size: ImageSize;
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
    return { region, resize: sidesOf(size), flip: random.uniform() < 0.5 && flip };
  };
}

/**
 * Resizes to the smallest image that covers `size`, enlarged so that a `size` of another shorter side, `shorter`, would be
 * covered; then takes the central rectangle of `size`. For squares that is torchvision's evaluation: the shorter side becomes
 * `shorter`.
 */
export function centralGeometry(size: ImageSize, shorter?: number): GeometryRule {
  const [rows, columns] = sidesOf(size);
  const least = Math.min(rows, columns);
  requireOption(
    shorter === undefined || (Number.isInteger(shorter) && shorter >= least),
    'centralGeometry',
    'shorter',
    shorter,
    `integers ≥ ${least}, the size`,
  );
  const [coveredRows, coveredColumns] = sidesOf(size).map((side) =>
    Math.round((side * (shorter ?? least)) / least),
  ) as [number, number];
  return (height, width): Geometry => {
    const isTall = height * coveredColumns > width * coveredRows;
    const [h, w] = isTall
      ? [Math.floor((coveredColumns * height) / width), coveredColumns]
      : [coveredRows, Math.floor((coveredRows * width) / height)];
    const top = roundHalfToEven((h - rows) / 2);
    const left = roundHalfToEven((w - columns) / 2);
    return { resize: [h, w], crop: { top, left, height: rows, width: columns } };
  };
}

/** Rounds half to even, as Python does. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
