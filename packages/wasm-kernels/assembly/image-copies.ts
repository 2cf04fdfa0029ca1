import { batchNormApply } from './batch-norm';

// Copies of a few images at a time, so that a kernel needs no second map: a thread's copies stay in the second-level cache.

// @ts-ignore: decorator
@inline
export function imageBytes(height: i32, width: i32, channels: i32): usize {
  return (<usize>(height * width * channels)) << 2;
}

// Images that fit into so many bytes; at least one is given.
// @ts-ignore: decorator
@inline
export function imagesIn(bytes: i32, height: i32, width: i32, channels: i32): i32 {
  return bytes / <i32>imageBytes(height, width, channels);
}

// Copies images start … end − 1 to `copy`. Returns where image 0 would lie.
// @ts-ignore: decorator
@inline
export function copyImages(x: usize, copy: usize, start: i32, end: i32, height: i32, width: i32, channels: i32): usize {
  const bytes = imageBytes(height, width, channels);
  memory.copy(copy, x + (<usize>start) * bytes, (<usize>(end - start)) * bytes);
  return copy - (<usize>start) * bytes;
}

// As copyImages, of max(0, x·scale + shift) by channel: all scales, then all shifts, lie at `affine`.
// @ts-ignore: decorator
@inline
export function activateImages(
  x: usize, affine: usize, copy: usize, start: i32, end: i32, height: i32, width: i32, channels: i32,
): usize {
  const origin = copy - (<usize>start) * imageBytes(height, width, channels);
  const pixels = height * width;
  batchNormApply(x, 0, origin, start * pixels, end * pixels, channels, affine, affine + ((<usize>channels) << 2), 1);
  return origin;
}
