import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { type ImageSize, sidesOf } from '@localgrad/data';
import type { Random } from '@localgrad/nn/random';
import type { GeometryRule, Region } from '../decode.js';
import { unlabeled } from '../label-maps/label-map-folder.js';
import { transformMap } from '../label-maps/map-geometry.js';
import type { LabelMap } from '../label-maps/png-values.js';
import { type ColorDistortionOptions, checkColorDistortion } from './color-distortion.js';

/**
 * Random scale, crop, flip and colors of images with label maps: the training pipeline of MMSegmentation (0.x). Where a scaled
 * image is smaller than the crop, it is padded below and on the right, with the mean color and with pixels without a class.
 */
export interface ScaledCropOptions {
  readonly crops: 'scaled';
  /** Bounds of the uniform factor on height and width. Default [0.5, 2]. */
  readonly scale?: readonly [number, number];
  /**
   * Sides, in either order, that the longer and the shorter side of an image fit into at a factor of 1, keeping its ratio.
   * Default: those of each image.
   */
  readonly base?: readonly [number, number];
  /**
   * A crop should have several classes, and less than this fraction of its labeled pixels in one of them: ten crops are tried,
   * then any is used. 1: the first crop is used. Default 0.75.
   */
  readonly largestClass?: number;
  /** Flip horizontally with probability ½. Default true. */
  readonly flip?: boolean;
  /** Random changes of colors; false: none. Default: those of MMSegmentation. */
  readonly distortion?: ColorDistortionOptions | false;
}

/** @throws LocalgradError `invalid-option` */
export function checkScaledCrops(where: string, options: ScaledCropOptions, channels: number): void {
  const place = `${where}, augmentation`;
  rejectUnknownKeys(place, options, ['crops', 'scale', 'base', 'largestClass', 'flip', 'distortion']);
  const { scale, base, largestClass = 1, flip = true, distortion = {} } = options;
  const isPair = (value: unknown): value is readonly [number, number] => Array.isArray(value) && value.length === 2;
  const isScale = scale === undefined || (isPair(scale) && scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 16);
  requireOption(isScale, place, 'scale', scale, 'two numbers, 0 < lower ≤ upper ≤ 16');
  const isSide = (side: number) => Number.isInteger(side) && side >= 1 && side <= 16_384;
  const isBase = base === undefined || (isPair(base) && base.every(isSide));
  requireOption(isBase, place, 'base', base, 'two integers from 1 to 16384');
  requireOption(largestClass > 0 && largestClass <= 1, place, 'largestClass', largestClass, 'numbers > 0 and ≤ 1');
  requireOption(typeof flip === 'boolean', place, 'flip', flip, 'true, false');
  if (distortion === false) return;
  checkColorDistortion(place, distortion);
  requireOption(channels === 3, place, 'distortion', distortion, 'false for gray images');
}

/** Number of crops that are examined. */
const attempts = 10;

/** The geometry of one training image. */
export function scaledCropGeometry(
  size: ImageSize,
  { scale: [lowest, highest] = [0.5, 2], base, largestClass = 0.75, flip = true }: ScaledCropOptions,
  random: Random,
): GeometryRule {
  return (height, width, map) => {
    if (map === undefined) throw new LocalgradError('misuse', 'Scaled crops need a label map.');
    const resize = scaledSize([height, width], lowest + (highest - lowest) * random.uniform(), base);
    const [newHeight, newWidth] = resize;
    const [rows, columns] = sidesOf(size);
    const inside = { height: Math.min(rows, newHeight), width: Math.min(columns, newWidth) };
    const position = (): Region => ({
      top: random.integer(newHeight - inside.height + 1),
      left: random.integer(newWidth - inside.width + 1),
      ...inside,
    });
    let crop = position();
    for (let attempt = 0; attempt < attempts && largestClass < 1; attempt++) {
      if (isVaried(transformMap(map, { resize, crop }), largestClass)) break;
      crop = position();
    }
    return { resize, crop, flip: random.uniform() < 0.5 && flip, antialias: false };
  };
}

/** Height and width at a factor, in MMCV's rounding. */
function scaledSize(
  sides: readonly [number, number],
  factor: number,
  base: readonly [number, number] = sides,
): readonly [number, number] {
  const longer = Math.floor(Math.max(...base) * factor) / Math.max(...sides);
  const shorter = Math.floor(Math.min(...base) * factor) / Math.min(...sides);
  const scaled = (side: number) => Math.max(1, Math.floor(side * Math.min(longer, shorter) + 0.5));
  return [scaled(sides[0]), scaled(sides[1])];
}

/** Whether a map has several classes, each with less than a fraction of the labeled pixels. */
function isVaried({ values }: LabelMap, largestClass: number): boolean {
  const counts = new Uint32Array(256);
  for (const value of values) counts[value] = (counts[value] as number) + 1;
  counts[unlabeled] = 0;
  const classes = counts.filter((count) => count > 0);
  const labeled = classes.reduce((sum, count) => sum + count, 0);
  return classes.length > 1 && Math.max(...classes) / labeled < largestClass;
}
