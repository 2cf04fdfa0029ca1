import { rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';

/** A square that is erased in every training image (DeVries and Taylor, 2017). */
export interface Cutout {
  /** Height and width in pixels; the square is clipped at the border of the image. */
  readonly size: number;
}

/** The erased rectangle, ends exclusive. */
export interface ErasedRectangle {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export function checkCutout(cutout: Cutout, [height, width]: Shape3): void {
  rejectUnknownKeys('cutout', cutout, ['size']);
  const { size } = cutout;
  const most = 2 * Math.max(height, width);
  requireOption(
    Number.isInteger(size) && size >= 1 && size <= most,
    'cutout',
    'size',
    size,
    `integers from 1 to ${most}`,
  );
}

/**
 * The rectangle of a sample: its center is uniform over the image, as in the reference code, which erases one row and one
 * column less for odd sizes.
 */
export function erasedRectangle(
  { size }: Cutout,
  [height, width]: Shape3,
  seed: number,
  epoch: number,
  sample: number,
): ErasedRectangle {
  const random = createRandom(seed, `cutout/${epoch}/${sample}`);
  const top = random.integer(height) - (size >> 1);
  const left = random.integer(width) - (size >> 1);
  return {
    top: Math.max(top, 0),
    bottom: Math.min(top + size, height),
    left: Math.max(left, 0),
    right: Math.min(left + size, width),
  };
}

/** Writes `fill`, one value per channel, into a rectangle of the image that starts at `offset`. */
export function erase(
  values: Float32Array,
  offset: number,
  [, width, channels]: Shape3,
  { top, bottom, left, right }: ErasedRectangle,
  fill: readonly number[],
): void {
  for (let row = top; row < bottom; row++) {
    const start = offset + (row * width + left) * channels;
    const end = offset + (row * width + right) * channels;
    for (let at = start; at < end; at++) values[at] = fill[(at - start) % channels] ?? 0;
  }
}
