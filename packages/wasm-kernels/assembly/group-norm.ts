import { batchNormApply, batchNormGradientApply, batchNormGradientSums, batchStatistics } from './batch-norm';

// What batch-norm.ts does for the rows of a batch, for each of the images start … end − 1 by itself. Sums (two doubles by channel: first
// all first sums, then all second ones) and coefficients lie image by image.

// @ts-ignore: decorator
@inline
function float(numbers: usize, index: i32): f64 {
  return <f64>load<f32>(numbers + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
function setFloat(numbers: usize, index: i32, value: f64): void {
  store<f32>(numbers + ((<usize>index) << 2), <f32>value);
}

// @ts-ignore: decorator
@inline
function double(numbers: usize, index: i32): f64 {
  return load<f64>(numbers + ((<usize>index) << 3));
}

// y = (x − mean)/σ·scale + shift, with the mean and variance of each group of an image's channels. `affine` has two floats by channel.
export function groupNorm(
  x: usize, y: usize, scale: usize, shift: usize, mean: usize, variance: usize, sums: usize, affine: usize,
  start: i32, end: i32, positions: i32, channels: i32, groups: i32, epsilon: f64,
): void {
  const size = channels / groups;
  for (let n = start; n < end; n++) {
    const row = n * positions;
    const origin = x + ((<usize>(row * channels)) << 2);
    const ownSums = sums + ((<usize>(n * channels)) << 4);
    const scales = affine + ((<usize>(n * channels)) << 3);
    const shifts = scales + ((<usize>channels) << 2);
    batchStatistics(x, origin, ownSums, row, row + positions, channels);
    for (let group = 0; group < groups; group++) {
      const at = n * groups + group;
      normalizeGroup(origin, ownSums, scale, shift, mean, variance, at, scales, shifts, group, positions, channels, size, epsilon);
    }
    batchNormApply(x, 0, y, row, row + positions, channels, scales, shifts, 0);
  }
}

// Mean and variance number `at`, and the coefficients of the channels, from sums by channel around the values at `origin`: a mean far
// from 0 costs no digits.
function normalizeGroup(
  origin: usize, sums: usize, scale: usize, shift: usize, mean: usize, variance: usize, at: i32, scales: usize, shifts: usize,
  group: i32, positions: i32, channels: i32, size: i32, epsilon: f64,
): void {
  const first = group * size, end = first + size;
  let total: f64 = 0;
  for (let c = first; c < end; c++) total += float(origin, c) + double(sums, c) / <f64>positions;
  const average = total / <f64>size;
  let squares: f64 = 0;
  for (let c = first; c < end; c++) {
    const shifted = double(sums, c) / <f64>positions;
    const distance = float(origin, c) + shifted - average;
    squares += max<f64>(0, double(sums, channels + c) / <f64>positions - shifted * shifted) + distance * distance;
  }
  const spread = squares / <f64>size;
  setFloat(mean, at, average);
  setFloat(variance, at, spread);
  const inverse = 1 / Math.sqrt(spread + epsilon);
  for (let c = first; c < end; c++) {
    const factor = float(scale, c) * inverse;
    setFloat(scales, c, factor);
    setFloat(shifts, c, float(shift, c) - average * factor);
  }
}

// dx = k0·dy + k1·x + k2; dx may be dy. `sums` receives the gradients of shift and scale for each image, as doubles; `k` has three
// floats by channel.
export function groupNormGradient(
  dy: usize, x: usize, dx: usize, scale: usize, mean: usize, variance: usize, sums: usize, k: usize,
  start: i32, end: i32, positions: i32, channels: i32, groups: i32, epsilon: f64,
): void {
  const size = channels / groups;
  for (let n = start; n < end; n++) {
    const row = n * positions;
    const ownSums = sums + ((<usize>(n * channels)) << 4);
    const own = k + ((<usize>(3 * n * channels)) << 2);
    for (let c = 0; c < channels; c++) setFloat(own, c, float(mean, n * groups + c / size));
    batchNormGradientSums(dy, x, 0, 0, own, own, own, ownSums, row, row + positions, channels, 0);
    for (let group = 0; group < groups; group++) {
      const at = n * groups + group;
      const inverse = 1 / Math.sqrt(float(variance, at) + epsilon);
      groupCoefficients(ownSums, scale, own, float(mean, at), inverse, group, positions, channels, size);
    }
    batchNormGradientApply(dy, x, dx, row, row + positions, channels, own);
  }
}

// From Σ dy and Σ dy·(x − mean) by channel: the coefficients of dx, and Σ dy·(x − mean)/σ instead of the second sum.
function groupCoefficients(
  sums: usize, scale: usize, k: usize, mean: f64, inverse: f64, group: i32, positions: i32, channels: i32, size: i32,
): void {
  const first = group * size, end = first + size;
  let sum: f64 = 0, product: f64 = 0;
  for (let c = first; c < end; c++) {
    sum += float(scale, c) * double(sums, c);
    product += float(scale, c) * double(sums, channels + c);
  }
  const values = <f64>positions * <f64>size;
  const constant = (sum * inverse) / values;
  const along = (product * inverse * inverse * inverse) / values;
  for (let c = first; c < end; c++) {
    setFloat(k, c, float(scale, c) * inverse);
    setFloat(k, channels + c, -along);
    setFloat(k, 2 * channels + c, along * mean - constant);
    store<f64>(sums + ((<usize>(channels + c)) << 3), double(sums, channels + c) * inverse);
  }
}
