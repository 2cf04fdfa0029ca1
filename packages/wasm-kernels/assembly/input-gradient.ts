import { multiplyAdd } from './lanes';
import { put, putSome } from './tile';

// dx[n, ih, iw, ci] = Σ dy[n, oh, ow, co] · w[i, j, co, ci] [+ added], ih = oh·s + i − p, for images start … end − 1; added 0 = none.
// dy [n, oh, ow, co], dx and added [n, h, w, ci]. w is packed (packed-convolution.ts, turned): tiles of eight input channels, with the
// taps from the last to the first.
//
// Each pixel gathers only the taps that reach it, so that a stride costs no multiplications with zeros: they are a stride apart, and dy
// moves back by one from each to the next. Pixels of a row that are a stride apart have the same taps and read neighboring dy: four
// of them × eight channels stay in registers. A band of rows stays in the cache while all tiles of the filter pass over it.
export function inputGradient(
  dy: usize, packed: usize, dx: usize, added: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const band = max(1, bandFloats / (width * inChannels));
  const tileBytes = (<usize>(kernelHeight * kernelWidth * outChannels)) << 5;
  const step = (<usize>(strideWidth * inChannels)) << 2;
  for (let n = start; n < end; n++) for (let top = 0; top < height; top += band) {
    const bottom = min(top + band, height);
    const image = dy + ((<usize>(n * outHeight * outWidth * outChannels)) << 2);
    let weights = packed;
    for (let ci = 0; ci < inChannels; ci += 8) {
      const lanes = min(8, inChannels - ci);
      for (let ih = top; ih < bottom; ih++) {
        const i = (ih + paddingHeight) % strideHeight;
        const oh = (ih + paddingHeight) / strideHeight;
        for (let phase = 0; phase < min(strideWidth, width); phase++) {
          const j = (phase + paddingWidth) % strideWidth;
          const ow = (phase + paddingWidth) / strideWidth;
          const count = (width - 1 - phase) / strideWidth + 1;
          const offset = (<usize>(((n * height + ih) * width + phase) * inChannels + ci)) << 2;
          if (count < 4) {
            for (let k = 0; k < count; k++) {
              const to = offset + (<usize>k) * step;
              pixel(image, weights, dx + to, added ? added + to : 0, i, oh, j, ow + k, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, lanes);
            }
          } else for (let at = 0; at < count; at += 4) {
            // The last tile may overlap the one before it: the same sums again.
            const k = min(at, count - 4);
            const to = offset + (<usize>k) * step;
            tile(image, weights, dx + to, added ? added + to : 0, i, oh, j, ow + k, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, step, lanes);
          }
        }
      }
      weights += tileBytes;
    }
  }
}

// Values of a band of dx: they fit into the second-level cache.
const bandFloats: i32 = 16384;

// Four pixels. (firstRow, firstColumn) is the first tap that reaches them; for it, the first pixel reads dy at (row, column).
// @ts-ignore: decorator
@inline
function tile(
  dy: usize, weights: usize, dx: usize, added: usize, firstRow: i32, row: i32, firstColumn: i32, column: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  step: usize, lanes: i32,
): void {
  const z = f32x4.splat(0);
  let a00 = z, a01 = z, a10 = z, a11 = z, a20 = z, a21 = z, a30 = z, a31 = z;
  const next = (<usize>outChannels) << 2;
  const last = kernelHeight * kernelWidth - 1;
  for (let i = firstRow, oh = row; i < kernelHeight && oh >= 0; i += strideHeight, oh--) {
    if (oh >= outHeight) continue;
    for (let j = firstColumn, ow = column; j < kernelWidth && ow > -4; j += strideWidth, ow--) {
      if (ow >= outWidth) continue;
      let p = dy + ((<usize>((oh * outWidth + ow) * outChannels)) << 2);
      let w = weights + ((<usize>((last - i * kernelWidth - j) * outChannels)) << 5);
      const stop = w + ((<usize>outChannels) << 5);
      if (ow >= 0 && ow + 3 < outWidth) {
        let p1 = p + next, p2 = p1 + next, p3 = p2 + next;
        while (w < stop) {
          const w0 = v128.load(w), w1 = v128.load(w, 16);
          let v = v128.load32_splat(p);
          a00 = multiplyAdd(v, w0, a00); a01 = multiplyAdd(v, w1, a01);
          v = v128.load32_splat(p1);
          a10 = multiplyAdd(v, w0, a10); a11 = multiplyAdd(v, w1, a11);
          v = v128.load32_splat(p2);
          a20 = multiplyAdd(v, w0, a20); a21 = multiplyAdd(v, w1, a21);
          v = v128.load32_splat(p3);
          a30 = multiplyAdd(v, w0, a30); a31 = multiplyAdd(v, w1, a31);
          p += 4; p1 += 4; p2 += 4; p3 += 4;
          w += 32;
        }
      } else {
        const h0 = ow >= 0, h1 = <u32>(ow + 1) < <u32>outWidth;
        const h2 = <u32>(ow + 2) < <u32>outWidth, h3 = ow + 3 < outWidth;
        while (w < stop) {
          const w0 = v128.load(w), w1 = v128.load(w, 16);
          let v = h0 ? v128.load32_splat(p) : z;
          a00 = multiplyAdd(v, w0, a00); a01 = multiplyAdd(v, w1, a01);
          v = h1 ? v128.load32_splat(p + next) : z;
          a10 = multiplyAdd(v, w0, a10); a11 = multiplyAdd(v, w1, a11);
          v = h2 ? v128.load32_splat(p + 2 * next) : z;
          a20 = multiplyAdd(v, w0, a20); a21 = multiplyAdd(v, w1, a21);
          v = h3 ? v128.load32_splat(p + 3 * next) : z;
          a30 = multiplyAdd(v, w0, a30); a31 = multiplyAdd(v, w1, a31);
          p += 4;
          w += 32;
        }
      }
    }
  }
  if (added) {
    putSum(dx, added, a00, a01, lanes);
    putSum(dx + step, added + step, a10, a11, lanes);
    putSum(dx + 2 * step, added + 2 * step, a20, a21, lanes);
    putSum(dx + 3 * step, added + 3 * step, a30, a31, lanes);
  } else {
    put(dx, a00, a01, lanes);
    put(dx + step, a10, a11, lanes);
    put(dx + 2 * step, a20, a21, lanes);
    put(dx + 3 * step, a30, a31, lanes);
  }
}

// One pixel of a row that has fewer than four of its phase.
function pixel(
  dy: usize, weights: usize, dx: usize, added: usize, firstRow: i32, row: i32, firstColumn: i32, column: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  lanes: i32,
): void {
  let a0 = f32x4.splat(0), a1 = a0;
  const last = kernelHeight * kernelWidth - 1;
  for (let i = firstRow, oh = row; i < kernelHeight && oh >= 0; i += strideHeight, oh--) {
    if (oh >= outHeight) continue;
    for (let j = firstColumn, ow = column; j < kernelWidth && ow >= 0; j += strideWidth, ow--) {
      if (ow >= outWidth) continue;
      let p = dy + ((<usize>((oh * outWidth + ow) * outChannels)) << 2);
      let w = weights + ((<usize>((last - i * kernelWidth - j) * outChannels)) << 5);
      const stop = w + ((<usize>outChannels) << 5);
      while (w < stop) {
        const v = v128.load32_splat(p);
        a0 = multiplyAdd(v, v128.load(w), a0);
        a1 = multiplyAdd(v, v128.load(w, 16), a1);
        p += 4;
        w += 32;
      }
    }
  }
  if (added) putSum(dx, added, a0, a1, lanes);
  else put(dx, a0, a1, lanes);
}

// Stores the first `lanes` of eight values plus those at `added`.
// @ts-ignore: decorator
@inline
function putSum(y: usize, added: usize, v0: v128, v1: v128, lanes: i32): void {
  if (lanes == 8) {
    v128.store(y, f32x4.add(v0, v128.load(added)));
    v128.store(y, f32x4.add(v1, v128.load(added, 16)), 16);
  } else {
    putSome(y, v0, v1, lanes);
    for (let lane = 0; lane < lanes; lane++) {
      const at = (<usize>lane) << 2;
      store<f32>(y + at, load<f32>(y + at) + load<f32>(added + at));
    }
  }
}
