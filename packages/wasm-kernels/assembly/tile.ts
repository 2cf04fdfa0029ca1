import { multiplyAdd } from './lanes';

// Four pixels × eight output channels: y[k, 0 … 7] = Σ x[k · step, row, 0 … length − 1] · w[row, 0 … length − 1, 0 … 7].
// @ts-ignore: decorator
@inline
export function tile(
  x: usize, w: usize, y: usize, rows: i32, length: i32, rowBytes: usize, step: usize, outStep: usize, lanes: i32,
): void {
  const z = f32x4.splat(0);
  let a00 = z, a01 = z, a10 = z, a11 = z, a20 = z, a21 = z, a30 = z, a31 = z;
  for (let i = 0; i < rows; i++) {
    let p0 = x + (<usize>i) * rowBytes;
    const stop = p0 + ((<usize>length) << 2);
    let p1 = p0 + step, p2 = p1 + step, p3 = p2 + step;
    while (p0 < stop) {
      const w0 = v128.load(w), w1 = v128.load(w, 16);
      let v = v128.load32_splat(p0);
      a00 = multiplyAdd(v, w0, a00); a01 = multiplyAdd(v, w1, a01);
      v = v128.load32_splat(p1);
      a10 = multiplyAdd(v, w0, a10); a11 = multiplyAdd(v, w1, a11);
      v = v128.load32_splat(p2);
      a20 = multiplyAdd(v, w0, a20); a21 = multiplyAdd(v, w1, a21);
      v = v128.load32_splat(p3);
      a30 = multiplyAdd(v, w0, a30); a31 = multiplyAdd(v, w1, a31);
      p0 += 4; p1 += 4; p2 += 4; p3 += 4;
      w += 32;
    }
  }
  put(y, a00, a01, lanes);
  put(y + outStep, a10, a11, lanes);
  put(y + 2 * outStep, a20, a21, lanes);
  put(y + 3 * outStep, a30, a31, lanes);
}

// Stores the first `lanes` of eight values.
// @ts-ignore: decorator
@inline
export function put(y: usize, v0: v128, v1: v128, lanes: i32): void {
  if (lanes == 8) {
    v128.store(y, v0);
    v128.store(y, v1, 16);
  } else {
    putSome(y, v0, v1, lanes);
  }
}

export function putSome(y: usize, v0: v128, v1: v128, lanes: i32): void {
  let v = v0;
  let left = lanes;
  if (left >= 4) {
    v128.store(y, v);
    y += 16;
    left -= 4;
    v = v1;
  }
  if (left > 0) v128.store_lane<f32>(y, v, 0);
  if (left > 1) v128.store_lane<f32>(y, v, 1, 4);
  if (left > 2) v128.store_lane<f32>(y, v, 2, 8);
}
