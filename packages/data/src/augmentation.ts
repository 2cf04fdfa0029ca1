import { rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import type { Random } from '@localgrad/nn/random';
import type { SampleValues } from './dataset.js';

/** Random augmentation of training images (docs/methods/training.md §1). */
export interface Augmentation {
  /** Pixels of padding on each side before a random crop of the original size. Default 0. */
  readonly pad?: number;
  /** Values of the padding: zeros, or the image reflected at its edge (edge not repeated). Default `zero`. */
  readonly padding?: 'zero' | 'reflect';
  /** Flip horizontally with probability ½. Default false. */
  readonly flip?: boolean;
}

/** Published augmentation recipes (docs/methods/training.md §1; Fashion-MNIST's is predsim's). */
export const augmentations = {
  none: {},
  cifar10: { pad: 4, padding: 'reflect', flip: true },
  svhn: { pad: 2, padding: 'zero', flip: false },
  stl10: { pad: 4, padding: 'zero', flip: true },
  'fashion-mnist': { pad: 2, padding: 'zero', flip: true },
} as const satisfies Record<string, Augmentation>;

export function checkAugmentation(augmentation: Augmentation, [height, width]: Shape3): void {
  rejectUnknownKeys('augmentation', augmentation, ['pad', 'padding', 'flip']);
  const { pad = 0, padding = 'zero', flip = false } = augmentation;
  requireOption(typeof flip === 'boolean', 'augmentation', 'flip', flip, 'true, false');
  const most = Math.min(height, width) - 1;
  requireOption(
    Number.isInteger(pad) && pad >= 0 && pad <= most,
    'augmentation',
    'pad',
    pad,
    `integers from 0 to ${most}`,
  );
  requireOption(padding === 'zero' || padding === 'reflect', 'augmentation', 'padding', padding, 'zero, reflect');
}

/**
 * Writes one augmented image to `target`. Consumes the same random numbers for all options, so that streams stay
 * comparable.
 *
 * @param fill value of zero padding; default 0
 */
export function augment<T extends SampleValues>(
  source: T,
  target: T,
  shape: Shape3,
  augmentation: Augmentation,
  random: Random,
  fill = 0,
): void {
  const [height, width, channels] = shape;
  const { pad = 0, padding = 'zero', flip = false } = augmentation;
  const top = random.integer(2 * pad + 1) - pad;
  const left = random.integer(2 * pad + 1) - pad;
  const isFlipped = random.uniform() < 0.5 && flip;
  const columns = new Int32Array(width);
  for (let column = 0; column < width; column++) {
    columns[column] = locate((isFlipped ? width - 1 - column : column) + left, width, padding);
  }
  // Without a flip, columns first … last − 1 are one stretch of the source.
  const first = isFlipped ? width : Math.max(0, -left);
  const last = isFlipped ? width : Math.min(width, width - left);
  for (let row = 0; row < height; row++) {
    const y = locate(row + top, height, padding);
    const to = row * width * channels;
    if (y < 0) {
      target.fill(fill, to, to + width * channels);
      continue;
    }
    const from = y * width * channels;
    if (first < last) {
      const stretch = source.subarray(from + (first + left) * channels, from + (last + left) * channels);
      target.set(stretch, to + first * channels);
    }
    copyColumns(source, from, target, to, columns, 0, first, channels, fill);
    copyColumns(source, from, target, to, columns, last, width, channels, fill);
  }
}

/**
 * Columns `start` … `end` − 1 of a row; column −1 of the source is padding. Plain loops over one array: views and functions for each row
 * and pixel took two thirds of the time.
 */
function copyColumns(
  source: SampleValues,
  from: number,
  target: SampleValues,
  to: number,
  columns: Int32Array,
  start: number,
  end: number,
  channels: number,
  fill: number,
): void {
  let at = to + start * channels;
  for (let column = start; column < end; column++) {
    const x = columns[column] as number;
    const next = at + channels;
    if (x < 0) for (; at < next; at++) target[at] = fill;
    else for (let value = from + x * channels; at < next; at++, value++) target[at] = source[value] as number;
  }
}

/** Index in the image; −1 for zero padding. */
function locate(index: number, extent: number, padding: 'zero' | 'reflect'): number {
  if (index >= 0 && index < extent) return index;
  if (padding === 'zero') return -1;
  return index < 0 ? -index : 2 * (extent - 1) - index;
}
