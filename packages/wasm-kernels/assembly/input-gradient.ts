import { multiplyAdd } from './lanes';

// dx[n, ih, iw, ci] = Σ dy[n, oh, ow, co] · w[i, j, co, ci], ih = oh·s + i − p, for images start … end − 1.
// dy [n, oh, ow, co], dx [n, h, w, ci], w [k, k, co, ci]: the filter with its channels swapped.
//
// Each pixel gathers only the taps that reach it, so that a stride costs no multiplications with zeros. Pixels of a row
// that are a stride apart have the same taps and read neighboring dy: four of them × eight channels share a tile.
export function inputGradient(
  dy: usize, w: usize, dx: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  for (let n = start; n < end; n++) for (let ih = 0; ih < height; ih++) for (let phase = 0; phase < strideWidth; phase++) {
    const row = dx + ((<usize>((n * height + ih) * width * inChannels)) << 2);
    let iw = phase;
    for (; iw + 3 * strideWidth < width; iw += 4 * strideWidth) {
      let ci = 0;
      for (; ci + 8 <= inChannels; ci += 8) {
        tile(dy, w, row, n, ih, iw, ci, height, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth);
      }
      if (ci < inChannels) for (let k = 0; k < 4; k++) {
        pixel(dy, w, row, n, ih, iw + k * strideWidth, ci, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth);
      }
    }
    for (; iw < width; iw += strideWidth) {
      pixel(dy, w, row, n, ih, iw, 0, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth);
    }
  }
}

// @ts-ignore: decorator
@inline
function tile(
  dy: usize, w: usize, row: usize, n: i32, ih: i32, iw: i32, ci: i32, height: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const z = f32x4.splat(0);
  let a00 = z, a01 = z, a10 = z, a11 = z, a20 = z, a21 = z, a30 = z, a31 = z;
  const step = (<usize>outChannels) << 2;
  const wStep = (<usize>inChannels) << 2;
  for (let i = 0; i < kernelHeight; i++) {
    const th = ih + paddingHeight - i;
    if (th < 0 || th % strideHeight != 0) continue;
    const oh = th / strideHeight;
    if (oh >= outHeight) continue;
    for (let j = 0; j < kernelWidth; j++) {
      const tw = iw + paddingWidth - j;
      // Division rounds to zero: a pixel left of the image by less than a stride must not become 0.
      if (((tw + strideWidth * kernelWidth) % strideWidth) != 0) continue;
      const ow = tw < 0 ? -((-tw) / strideWidth) : tw / strideWidth;
      let p = dy + ((<usize>((((n * outHeight + oh) * outWidth) + ow) * outChannels)) << 2);
      let q = w + ((<usize>((i * kernelWidth + j) * outChannels * inChannels + ci)) << 2);
      if (ow >= 0 && ow + 3 < outWidth) {
        for (let co = 0; co < outChannels; co++) {
          const w0 = v128.load(q), w1 = v128.load(q, 16);
          let v = v128.load32_splat(p);
          a00 = multiplyAdd(v, w0, a00); a01 = multiplyAdd(v, w1, a01);
          v = v128.load32_splat(p + step);
          a10 = multiplyAdd(v, w0, a10); a11 = multiplyAdd(v, w1, a11);
          v = v128.load32_splat(p + 2 * step);
          a20 = multiplyAdd(v, w0, a20); a21 = multiplyAdd(v, w1, a21);
          v = v128.load32_splat(p + 3 * step);
          a30 = multiplyAdd(v, w0, a30); a31 = multiplyAdd(v, w1, a31);
          p += 4;
          q += wStep;
        }
      } else {
        const h0 = <u32>ow < <u32>outWidth, h1 = <u32>(ow + 1) < <u32>outWidth;
        const h2 = <u32>(ow + 2) < <u32>outWidth, h3 = <u32>(ow + 3) < <u32>outWidth;
        for (let co = 0; co < outChannels; co++) {
          const w0 = v128.load(q), w1 = v128.load(q, 16);
          let v = h0 ? v128.load32_splat(p) : z;
          a00 = multiplyAdd(v, w0, a00); a01 = multiplyAdd(v, w1, a01);
          v = h1 ? v128.load32_splat(p + step) : z;
          a10 = multiplyAdd(v, w0, a10); a11 = multiplyAdd(v, w1, a11);
          v = h2 ? v128.load32_splat(p + 2 * step) : z;
          a20 = multiplyAdd(v, w0, a20); a21 = multiplyAdd(v, w1, a21);
          v = h3 ? v128.load32_splat(p + 3 * step) : z;
          a30 = multiplyAdd(v, w0, a30); a31 = multiplyAdd(v, w1, a31);
          p += 4;
          q += wStep;
        }
      }
    }
  }
  const o = row + ((<usize>(iw * inChannels + ci)) << 2);
  const next = (<usize>(inChannels * strideWidth)) << 2;
  v128.store(o, a00); v128.store(o, a01, 16);
  v128.store(o + next, a10); v128.store(o + next, a11, 16);
  v128.store(o + 2 * next, a20); v128.store(o + 2 * next, a21, 16);
  v128.store(o + 3 * next, a30); v128.store(o + 3 * next, a31, 16);
}

// One pixel, channels from `first` on: what the tiles leave over.
function pixel(
  dy: usize, w: usize, row: usize, n: i32, ih: i32, iw: i32, first: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const wStep = (<usize>inChannels) << 2;
  const o = row + ((<usize>(iw * inChannels)) << 2);
  for (let ci = first; ci < inChannels; ci += 4) {
    const isWhole = ci + 4 <= inChannels;
    let a = f32x4.splat(0);
    let s0: f32 = 0, s1: f32 = 0, s2: f32 = 0;
    for (let i = 0; i < kernelHeight; i++) {
      const th = ih + paddingHeight - i;
      if (th < 0 || th % strideHeight != 0 || th / strideHeight >= outHeight) continue;
      for (let j = 0; j < kernelWidth; j++) {
        const tw = iw + paddingWidth - j;
        if (tw < 0 || tw % strideWidth != 0 || tw / strideWidth >= outWidth) continue;
        let p = dy + ((<usize>((((n * outHeight + th / strideHeight) * outWidth) + tw / strideWidth) * outChannels)) << 2);
        let q = w + ((<usize>((i * kernelWidth + j) * outChannels * inChannels + ci)) << 2);
        if (isWhole) {
          for (let co = 0; co < outChannels; co++) {
            a = multiplyAdd(v128.load32_splat(p), v128.load(q), a);
            p += 4;
            q += wStep;
          }
        } else {
          for (let co = 0; co < outChannels; co++) {
            const v = load<f32>(p);
            s0 += v * load<f32>(q);
            if (ci + 1 < inChannels) s1 += v * load<f32>(q, 4);
            if (ci + 2 < inChannels) s2 += v * load<f32>(q, 8);
            p += 4;
            q += wStep;
          }
        }
      }
    }
    const at = o + ((<usize>ci) << 2);
    if (isWhole) {
      v128.store(at, a);
    } else {
      store<f32>(at, s0);
      if (ci + 1 < inChannels) store<f32>(at, s1, 4);
      if (ci + 2 < inChannels) store<f32>(at, s2, 8);
    }
  }
}
