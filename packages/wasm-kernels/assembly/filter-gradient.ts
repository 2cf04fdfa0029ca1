import { multiplyAdd } from './lanes';

// dw[i, j, ci, co] = Σ x[n, oh·s + i − p, ow·s + j − p, ci] · dy[n, oh, ow, co] over images start … end − 1.
// x [n, h, w, ci], dy [n, oh, ow, co], dw [k, k, ci, co].
//
// Four input channels × eight output channels stay in registers while a band of rows, small enough for the first-level
// cache, passes.
export function filterGradient(
  x: usize, dy: usize, dw: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const xStep = (<usize>(inChannels * strideWidth)) << 2;
  const dyStep = (<usize>outChannels) << 2;
  memory.fill(dw, 0, (<usize>(kernelHeight * kernelWidth * inChannels * outChannels)) << 2);
  const band = max(1, min(outHeight, 4096 / (outWidth * max(inChannels * strideHeight * strideWidth, outChannels))));
  for (let n = start; n < end; n++) for (let row = 0; row < outHeight; row += band) {
    const stop = min(row + band, outHeight);
    for (let i = 0; i < kernelHeight; i++) for (let j = 0; j < kernelWidth; j++) {
      const lack = paddingWidth - j;
      const left = lack > 0 ? (lack + strideWidth - 1) / strideWidth : 0;
      const reach = width - 1 + paddingWidth - j;
      const right = reach < 0 ? 0 : min(reach / strideWidth + 1, outWidth);
      if (right <= left) continue;
      const tap = dw + ((<usize>((i * kernelWidth + j) * inChannels * outChannels)) << 2);
      let ci = 0;
      for (; ci + 4 <= inChannels; ci += 4) {
        let co = 0;
        for (; co + 8 <= outChannels; co += 8) {
          const w0 = tap + ((<usize>(ci * outChannels + co)) << 2), w1 = w0 + dyStep, w2 = w1 + dyStep, w3 = w2 + dyStep;
          let a00 = v128.load(w0), a01 = v128.load(w0, 16), a10 = v128.load(w1), a11 = v128.load(w1, 16);
          let a20 = v128.load(w2), a21 = v128.load(w2, 16), a30 = v128.load(w3), a31 = v128.load(w3, 16);
          for (let oh = row; oh < stop; oh++) {
            const ih = oh * strideHeight + i - paddingHeight;
            if (<u32>ih >= <u32>height) continue;
            let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
            let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
            for (let ow = left; ow < right; ow++) {
              const d0 = v128.load(pd), d1 = v128.load(pd, 16);
              let v = v128.load32_splat(px);
              a00 = multiplyAdd(v, d0, a00); a01 = multiplyAdd(v, d1, a01);
              v = v128.load32_splat(px, 4);
              a10 = multiplyAdd(v, d0, a10); a11 = multiplyAdd(v, d1, a11);
              v = v128.load32_splat(px, 8);
              a20 = multiplyAdd(v, d0, a20); a21 = multiplyAdd(v, d1, a21);
              v = v128.load32_splat(px, 12);
              a30 = multiplyAdd(v, d0, a30); a31 = multiplyAdd(v, d1, a31);
              px += xStep;
              pd += dyStep;
            }
          }
          v128.store(w0, a00); v128.store(w0, a01, 16); v128.store(w1, a10); v128.store(w1, a11, 16);
          v128.store(w2, a20); v128.store(w2, a21, 16); v128.store(w3, a30); v128.store(w3, a31, 16);
        }
        for (let k = 0; k < 4; k++) {
          columns(x, dy, tap, n, row, stop, height, width, inChannels, outHeight, outWidth, outChannels, i, j, strideHeight, strideWidth, paddingHeight, paddingWidth, left, right, ci + k, co);
        }
      }
      for (; ci < inChannels; ci++) {
        columns(x, dy, tap, n, row, stop, height, width, inChannels, outHeight, outWidth, outChannels, i, j, strideHeight, strideWidth, paddingHeight, paddingWidth, left, right, ci, 0);
      }
    }
  }
}

// One input channel, output channels from `first` on: what the four-by-eight tiles leave over.
function columns(
  x: usize, dy: usize, tap: usize, n: i32, row: i32, stop: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, i: i32, j: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
  left: i32, right: i32, ci: i32, first: i32,
): void {
  const xStep = (<usize>(inChannels * strideWidth)) << 2;
  const dyStep = (<usize>outChannels) << 2;
  let co = first;
  for (; co + 4 <= outChannels; co += 4) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a = v128.load(w);
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        a = multiplyAdd(v128.load32_splat(px), v128.load(pd), a);
        px += xStep;
        pd += dyStep;
      }
    }
    v128.store(w, a);
  }
  for (; co < outChannels; co++) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a = load<f32>(w);
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        a += load<f32>(px) * load<f32>(pd);
        px += xStep;
        pd += dyStep;
      }
    }
    store<f32>(w, a);
  }
}
