import type { Shape3 } from '@localgrad/core';

/** Planes of channels, row-major (CIFAR) → interleaved pixels. */
export function interleavePlanes(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  [height, width, channels]: Shape3,
): void {
  const plane = height * width;
  for (let channel = 0; channel < channels; channel++) {
    const start = from + channel * plane;
    for (let pixel = 0, at = to + channel; pixel < plane; pixel++, at += channels)
      target[at] = source[start + pixel] ?? 0;
  }
}

/** Planes of channels, column-major (MATLAB, STL-10) → interleaved pixels, row by row. */
export function transposePlanes(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  [height, width, channels]: Shape3,
): void {
  let at = from;
  for (let channel = 0; channel < channels; channel++) {
    for (let column = 0; column < width; column++) {
      for (let row = 0; row < height; row++, at++) {
        target[to + (row * width + column) * channels + channel] = source[at] ?? 0;
      }
    }
  }
}
