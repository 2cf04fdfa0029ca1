import { batchNormApply, batchNormGradientApply, batchNormGradientSums, batchStatistics } from './batch-norm';

// What batch-norm.ts does for the rows of a batch, for each of the images start … end − 1 by itself. Sums and vectors of
// numbers by channel lie image by image.

export function imageStatistics(x: usize, sums: usize, start: i32, end: i32, positions: i32, channels: i32): void {
  for (let n = start; n < end; n++) {
    const row = n * positions;
    const origin = x + ((<usize>(row * channels)) << 2);
    batchStatistics(x, origin, sums + ((<usize>(n * channels)) << 4), row, row + positions, channels);
  }
}

// y = x·scale + shift
export function imageNormApply(
  x: usize, y: usize, affine: usize, start: i32, end: i32, positions: i32, channels: i32,
): void {
  for (let n = start; n < end; n++) {
    const scale = affine + ((<usize>(n * channels)) << 3);
    const row = n * positions;
    batchNormApply(x, 0, y, row, row + positions, channels, scale, scale + ((<usize>channels) << 2), 0);
  }
}

// sums = Σ dy, Σ dy·(x − mean)
export function imageNormGradientSums(
  dy: usize, x: usize, mean: usize, sums: usize, start: i32, end: i32, positions: i32, channels: i32,
): void {
  for (let n = start; n < end; n++) {
    const row = n * positions;
    const means = mean + ((<usize>(n * channels)) << 2);
    const target = sums + ((<usize>(n * channels)) << 4);
    batchNormGradientSums(dy, x, 0, 0, means, means, means, target, row, row + positions, channels, 0);
  }
}

// dx = k0·dy + k1·x + k2; dx may be dy.
export function imageNormGradientApply(
  dy: usize, x: usize, dx: usize, k: usize, start: i32, end: i32, positions: i32, channels: i32,
): void {
  for (let n = start; n < end; n++) {
    const row = n * positions;
    batchNormGradientApply(dy, x, dx, row, row + positions, channels, k + ((<usize>(3 * n * channels)) << 2));
  }
}
