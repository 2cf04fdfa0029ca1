// What batch norm needs between two passes over its rows, by channel. `sums` holds two doubles by channel for each piece of the rows:
// first all first sums of a piece, then all second ones.

// @ts-ignore: decorator
@inline
function sumOver(sums: usize, pieces: i32, length: i32, index: i32): f64 {
  let total: f64 = 0;
  for (let piece = 0; piece < pieces; piece++) total += load<f64>(sums + ((<usize>(piece * length + index)) << 3));
  return total;
}

// The first and second sums over all pieces, as floats.
export function addSums(sums: usize, pieces: i32, channels: i32, first: usize, second: usize): void {
  for (let c = 0; c < channels; c++) {
    const at = (<usize>c) << 2;
    store<f32>(first + at, <f32>sumOver(sums, pieces, 2 * channels, c));
    store<f32>(second + at, <f32>sumOver(sums, pieces, 2 * channels, channels + c));
  }
}

// Mean and biased variance from the sums of batchStatistics.
export function batchMoments(
  sums: usize, pieces: i32, origin: usize, mean: usize, variance: usize, rows: i32, channels: i32,
): void {
  for (let c = 0; c < channels; c++) {
    const at = (<usize>c) << 2;
    const shifted = sumOver(sums, pieces, 2 * channels, c) / <f64>rows;
    const square = sumOver(sums, pieces, 2 * channels, channels + c) / <f64>rows;
    store<f32>(mean + at, <f32>(<f64>load<f32>(origin + at) + shifted));
    store<f32>(variance + at, <f32>max<f64>(0, square - shifted * shifted));
  }
}

// result = kept·old + added·batch, each product rounded to a float.
export function moveAverage(old: usize, batch: usize, result: usize, channels: i32, kept: f32, added: f32): void {
  for (let c = 0; c < channels; c++) {
    const at = (<usize>c) << 2;
    store<f32>(result + at, load<f32>(old + at) * kept + load<f32>(batch + at) * added);
  }
}

// x ↦ x·scale + shift of a normalization: all scales, then all shifts.
export function normAffine(
  mean: usize, variance: usize, scale: usize, shift: usize, affine: usize, channels: i32, epsilon: f64,
): void {
  for (let c = 0; c < channels; c++) {
    const at = (<usize>c) << 2;
    const factor = <f64>load<f32>(scale + at) / Math.sqrt(<f64>load<f32>(variance + at) + epsilon);
    store<f32>(affine + at, <f32>factor);
    store<f32>(affine + ((<usize>channels) << 2) + at, <f32>(<f64>load<f32>(shift + at) - <f64>load<f32>(mean + at) * factor));
  }
}

// The gradients of scale and shift from Σ g and Σ g·(x − mean), and the coefficients of dx = k0·g + k1·x + k2: three rows at `k`.
export function normGradientCoefficients(
  sums: usize, pieces: i32, mean: usize, variance: usize, scale: usize, dScale: usize, dShift: usize, k: usize,
  rows: i32, channels: i32, epsilon: f64,
): void {
  const stride = (<usize>channels) << 2;
  for (let c = 0; c < channels; c++) {
    const at = (<usize>c) << 2;
    const inverse = 1 / Math.sqrt(<f64>load<f32>(variance + at) + epsilon);
    const sum = sumOver(sums, pieces, 2 * channels, c);
    const product = sumOver(sums, pieces, 2 * channels, channels + c) * inverse;
    store<f32>(dShift + at, <f32>sum);
    store<f32>(dScale + at, <f32>product);
    const k0 = <f64>load<f32>(scale + at) * inverse;
    const k1 = (-k0 * inverse * product) / <f64>rows;
    store<f32>(k + at, <f32>k0);
    store<f32>(k + stride + at, <f32>k1);
    store<f32>(k + 2 * stride + at, <f32>((-k0 * sum) / <f64>rows - k1 * <f64>load<f32>(mean + at)));
  }
}
