import { addToDoubles, multiplyAdd, rowsPerTile } from './lanes';

// The gradient of batch norm (batch-norm.ts) where the cotangent is that of means over windows, which fill the map without gaps:
// its rows repeat within each window, so that they are read from `means` [n, rows of windows, columns of windows, channels] instead
// of a map. `mode` says how the ReLU's mask is found, as in batchNormGradientSums.

// The window of a pixel, and how many pixels, windows and rows are left until the next one begins.
let cell: usize = 0;
let pixelsLeft: i32 = 0, windowsLeft: i32 = 0, rowsLeft: i32 = 0;

// @ts-ignore: decorator
@inline
function find(row: i32, height: i32, width: i32, windowHeight: i32, windowWidth: i32, stride: usize): void {
  const line = row / width, column = row % width;
  const windows = width / windowWidth;
  const windowRow = line / height * (height / windowHeight) + line % height / windowHeight;
  cell = (<usize>(windowRow * windows + column / windowWidth)) * stride;
  pixelsLeft = windowWidth - column % windowWidth;
  windowsLeft = windows - column / windowWidth;
  rowsLeft = windowHeight - line % height % windowHeight;
}

// @ts-ignore: decorator
@inline
function next(width: i32, windowHeight: i32, windowWidth: i32, stride: usize): void {
  pixelsLeft = windowWidth;
  cell += stride;
  if (--windowsLeft) return;
  windowsLeft = width / windowWidth;
  if (--rowsLeft) cell -= (<usize>windowsLeft) * stride;
  else rowsLeft = windowHeight;
}

// @ts-ignore: decorator
@inline
function masked(d: v128, v: v128, output: usize, mode: i32, a: v128, b: v128): v128 {
  if (mode == 1) return v128.and(d, f32x4.gt(multiplyAdd(v, a, b), f32x4.splat(0)));
  if (mode == 2) return v128.and(d, f32x4.gt(v128.load(output), f32x4.splat(0)));
  return d;
}

// @ts-ignore: decorator
@inline
function masked1(d: f32, v: f32, output: usize, mode: i32, a: f32, b: f32): f32 {
  if (mode == 1 && !(b + v * a > 0)) return 0;
  if (mode == 2 && !(load<f32>(output) > 0)) return 0;
  return d;
}

// sums = Σ g, Σ g·(x − mean), where g is the masked cotangent.
export function pooledBatchNormGradientSums(
  means: usize, x: usize, output: usize, mean: usize, affine: usize, sums: usize, start: i32, end: i32, channels: i32,
  mode: i32, height: i32, width: i32, windowHeight: i32, windowWidth: i32,
): void {
  const stride = (<usize>channels) << 2;
  const second = sums + ((<usize>channels) << 3);
  memory.fill(sums, 0, (<usize>channels) << 4);
  const tile = rowsPerTile(channels);
  const cells = <f32>(windowHeight * windowWidth);
  const divisor = f32x4.splat(cells);
  for (let row = start; row < end; row += tile) {
    const stop = min(row + tile, end);
    let c = 0;
    for (; c + 4 <= channels; c += 4) {
      const at = (<usize>c) << 2;
      const u = v128.load(mean + at), a = v128.load(affine + at), b = v128.load(affine + stride + at);
      let s = f32x4.splat(0), q = s;
      let offset = (<usize>row) * stride + at;
      find(row, height, width, windowHeight, windowWidth, stride);
      for (let m = row; m < stop; ) {
        const share = f32x4.div(v128.load(means + cell + at), divisor);
        const last = min(stop, m + pixelsLeft);
        for (; m < last; m++) {
          const v = v128.load(x + offset);
          const d = masked(share, v, output + offset, mode, a, b);
          s = f32x4.add(s, d);
          q = multiplyAdd(d, f32x4.sub(v, u), q);
          offset += stride;
        }
        next(width, windowHeight, windowWidth, stride);
      }
      addToDoubles(sums + at * 2, s);
      addToDoubles(second + at * 2, q);
    }
    for (; c < channels; c++) {
      const at = (<usize>c) << 2;
      const u = load<f32>(mean + at), a = load<f32>(affine + at), b = load<f32>(affine + stride + at);
      let s: f64 = 0, q: f64 = 0;
      let offset = (<usize>row) * stride + at;
      find(row, height, width, windowHeight, windowWidth, stride);
      for (let m = row; m < stop; ) {
        const share = load<f32>(means + cell + at) / cells;
        const last = min(stop, m + pixelsLeft);
        for (; m < last; m++) {
          const v = load<f32>(x + offset);
          const d = masked1(share, v, output + offset, mode, a, b);
          s += d;
          q += <f64>d * <f64>(v - u);
          offset += stride;
        }
        next(width, windowHeight, windowWidth, stride);
      }
      store<f64>(sums + at * 2, load<f64>(sums + at * 2) + s);
      store<f64>(second + at * 2, load<f64>(second + at * 2) + q);
    }
  }
}

// dx = k0·g + k1·x + k2 by channel; `k` holds the three rows. dx may be x.
export function pooledBatchNormGradientApply(
  means: usize, x: usize, output: usize, dx: usize, affine: usize, k: usize, start: i32, end: i32, channels: i32,
  mode: i32, height: i32, width: i32, windowHeight: i32, windowWidth: i32,
): void {
  const stride = (<usize>channels) << 2;
  const tile = rowsPerTile(channels);
  const cells = <f32>(windowHeight * windowWidth);
  const divisor = f32x4.splat(cells);
  for (let row = start; row < end; row += tile) {
    const stop = min(row + tile, end);
    let c = 0;
    for (; c + 4 <= channels; c += 4) {
      const at = (<usize>c) << 2;
      const a = v128.load(affine + at), b = v128.load(affine + stride + at);
      const k0 = v128.load(k + at), k1 = v128.load(k + stride + at), k2 = v128.load(k + 2 * stride + at);
      let offset = (<usize>row) * stride + at;
      find(row, height, width, windowHeight, windowWidth, stride);
      for (let m = row; m < stop; ) {
        const share = f32x4.div(v128.load(means + cell + at), divisor);
        const last = min(stop, m + pixelsLeft);
        for (; m < last; m++) {
          const v = v128.load(x + offset);
          const d = masked(share, v, output + offset, mode, a, b);
          v128.store(dx + offset, multiplyAdd(d, k0, multiplyAdd(v, k1, k2)));
          offset += stride;
        }
        next(width, windowHeight, windowWidth, stride);
      }
    }
    for (; c < channels; c++) {
      const at = (<usize>c) << 2;
      const a = load<f32>(affine + at), b = load<f32>(affine + stride + at);
      const k0 = load<f32>(k + at), k1 = load<f32>(k + stride + at), k2 = load<f32>(k + 2 * stride + at);
      let offset = (<usize>row) * stride + at;
      find(row, height, width, windowHeight, windowWidth, stride);
      for (let m = row; m < stop; ) {
        const share = load<f32>(means + cell + at) / cells;
        const last = min(stop, m + pixelsLeft);
        for (; m < last; m++) {
          const v = load<f32>(x + offset);
          const d = masked1(share, v, output + offset, mode, a, b);
          store<f32>(dx + offset, k2 + v * k1 + d * k0);
          offset += stride;
        }
        next(width, windowHeight, windowWidth, stride);
      }
    }
  }
}
