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
      }
      let co = outChannels & ~7;
      if (co + 4 <= outChannels) {
        fourColumns(x, dy, tap, n, row, stop, height, width, inChannels, outHeight, outWidth, outChannels, i, j, strideHeight, strideWidth, paddingHeight, paddingWidth, left, right, co);
        co += 4;
      }
      if (co < outChannels) sliver(x, dy, tap, n, row, stop, height, width, inChannels, outHeight, outWidth, outChannels, i, j, strideHeight, strideWidth, paddingHeight, paddingWidth, left, right, co);
      if (ci < inChannels) fewRows(x, dy, tap, n, row, stop, height, width, inChannels, outHeight, outWidth, outChannels, i, j, strideHeight, strideWidth, paddingHeight, paddingWidth, left, right, ci);
    }
  }
}

// Four output channels, all whole fours of input channels.
function fourColumns(
  x: usize, dy: usize, tap: usize, n: i32, row: i32, stop: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, i: i32, j: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
  left: i32, right: i32, co: i32,
): void {
  const xStep = (<usize>(inChannels * strideWidth)) << 2;
  const dyStep = (<usize>outChannels) << 2;
  let ci = 0;
  for (; ci + 8 <= inChannels; ci += 8) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a0 = v128.load(w);
    let a1 = v128.load(w + dyStep);
    let a2 = v128.load(w + 2 * dyStep);
    let a3 = v128.load(w + 3 * dyStep);
    let a4 = v128.load(w + 4 * dyStep);
    let a5 = v128.load(w + 5 * dyStep);
    let a6 = v128.load(w + 6 * dyStep);
    let a7 = v128.load(w + 7 * dyStep);
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        const d = v128.load(pd);
        a0 = multiplyAdd(v128.load32_splat(px), d, a0);
        a1 = multiplyAdd(v128.load32_splat(px, 4), d, a1);
        a2 = multiplyAdd(v128.load32_splat(px, 8), d, a2);
        a3 = multiplyAdd(v128.load32_splat(px, 12), d, a3);
        a4 = multiplyAdd(v128.load32_splat(px, 16), d, a4);
        a5 = multiplyAdd(v128.load32_splat(px, 20), d, a5);
        a6 = multiplyAdd(v128.load32_splat(px, 24), d, a6);
        a7 = multiplyAdd(v128.load32_splat(px, 28), d, a7);
        px += xStep;
        pd += dyStep;
      }
    }
    v128.store(w, a0);
    v128.store(w + dyStep, a1);
    v128.store(w + 2 * dyStep, a2);
    v128.store(w + 3 * dyStep, a3);
    v128.store(w + 4 * dyStep, a4);
    v128.store(w + 5 * dyStep, a5);
    v128.store(w + 6 * dyStep, a6);
    v128.store(w + 7 * dyStep, a7);
  }
  for (; ci + 4 <= inChannels; ci += 4) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a0 = v128.load(w);
    let a1 = v128.load(w + dyStep);
    let a2 = v128.load(w + 2 * dyStep);
    let a3 = v128.load(w + 3 * dyStep);
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        const d = v128.load(pd);
        a0 = multiplyAdd(v128.load32_splat(px), d, a0);
        a1 = multiplyAdd(v128.load32_splat(px, 4), d, a1);
        a2 = multiplyAdd(v128.load32_splat(px, 8), d, a2);
        a3 = multiplyAdd(v128.load32_splat(px, 12), d, a3);
        px += xStep;
        pd += dyStep;
      }
    }
    v128.store(w, a0);
    v128.store(w + dyStep, a1);
    v128.store(w + 2 * dyStep, a2);
    v128.store(w + 3 * dyStep, a3);
  }
}

// The last one to three output channels, all whole fours of input channels: the lanes are input channels.
function sliver(
  x: usize, dy: usize, tap: usize, n: i32, row: i32, stop: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, i: i32, j: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
  left: i32, right: i32, co: i32,
): void {
  const xStep = (<usize>(inChannels * strideWidth)) << 2;
  const dyStep = (<usize>outChannels) << 2;
  const count = outChannels - co;
  let ci = 0;
  for (; ci + 8 <= inChannels; ci += 8) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a00 = f32x4.splat(0);
    let a01 = f32x4.splat(0);
    let a10 = f32x4.splat(0);
    let a11 = f32x4.splat(0);
    let a20 = f32x4.splat(0);
    let a21 = f32x4.splat(0);
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        const x0 = v128.load(px);
        const x1 = v128.load(px, 16);
        let d = v128.load32_splat(pd);
        a00 = multiplyAdd(x0, d, a00);
        a01 = multiplyAdd(x1, d, a01);
        if (count > 1) {
          d = v128.load32_splat(pd, 4);
          a10 = multiplyAdd(x0, d, a10);
          a11 = multiplyAdd(x1, d, a11);
        }
        if (count > 2) {
          d = v128.load32_splat(pd, 8);
          a20 = multiplyAdd(x0, d, a20);
          a21 = multiplyAdd(x1, d, a21);
        }
        px += xStep;
        pd += dyStep;
      }
    }
    addLanes(w, dyStep, a00);
    addLanes(w + 4 * dyStep, dyStep, a01);
    if (count > 1) addLanes(w + 4, dyStep, a10);
    if (count > 1) addLanes(w + 4 * dyStep + 4, dyStep, a11);
    if (count > 2) addLanes(w + 8, dyStep, a20);
    if (count > 2) addLanes(w + 4 * dyStep + 8, dyStep, a21);
  }
  for (; ci + 4 <= inChannels; ci += 4) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a00 = f32x4.splat(0);
    let a10 = f32x4.splat(0);
    let a20 = f32x4.splat(0);
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        const x0 = v128.load(px);
        let d = v128.load32_splat(pd);
        a00 = multiplyAdd(x0, d, a00);
        if (count > 1) {
          d = v128.load32_splat(pd, 4);
          a10 = multiplyAdd(x0, d, a10);
        }
        if (count > 2) {
          d = v128.load32_splat(pd, 8);
          a20 = multiplyAdd(x0, d, a20);
        }
        px += xStep;
        pd += dyStep;
      }
    }
    addLanes(w, dyStep, a00);
    if (count > 1) addLanes(w + 4, dyStep, a10);
    if (count > 2) addLanes(w + 8, dyStep, a20);
  }
}

// Adds four lanes to floats that are `step` bytes apart.
// @ts-ignore: decorator
@inline
function addLanes(target: usize, step: usize, v: v128): void {
  store<f32>(target, load<f32>(target) + f32x4.extract_lane(v, 0));
  store<f32>(target + step, load<f32>(target + step) + f32x4.extract_lane(v, 1));
  store<f32>(target + 2 * step, load<f32>(target + 2 * step) + f32x4.extract_lane(v, 2));
  store<f32>(target + 3 * step, load<f32>(target + 3 * step) + f32x4.extract_lane(v, 3));
}

// The last one to three input channels, such as those of images: eight output channels at a time.
function fewRows(
  x: usize, dy: usize, tap: usize, n: i32, row: i32, stop: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, i: i32, j: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
  left: i32, right: i32, ci: i32,
): void {
  const xStep = (<usize>(inChannels * strideWidth)) << 2;
  const dyStep = (<usize>outChannels) << 2;
  const count = inChannels - ci;
  let co = 0;
  for (; co + 8 <= outChannels; co += 8) {
    const w = tap + ((<usize>(ci * outChannels + co)) << 2);
    let a00 = v128.load(w), a01 = v128.load(w, 16);
    let a10 = f32x4.splat(0), a11 = a10, a20 = a10, a21 = a10;
    if (count > 1) {
      a10 = v128.load(w + dyStep);
      a11 = v128.load(w + dyStep, 16);
    }
    if (count > 2) {
      a20 = v128.load(w + 2 * dyStep);
      a21 = v128.load(w + 2 * dyStep, 16);
    }
    for (let oh = row; oh < stop; oh++) {
      const ih = oh * strideHeight + i - paddingHeight;
      if (<u32>ih >= <u32>height) continue;
      let px = x + ((<usize>(((n * height + ih) * width + left * strideWidth + j - paddingWidth) * inChannels + ci)) << 2);
      let pd = dy + ((<usize>(((n * outHeight + oh) * outWidth + left) * outChannels + co)) << 2);
      for (let ow = left; ow < right; ow++) {
        const d0 = v128.load(pd), d1 = v128.load(pd, 16);
        let v = v128.load32_splat(px);
        a00 = multiplyAdd(v, d0, a00);
        a01 = multiplyAdd(v, d1, a01);
        if (count > 1) {
          v = v128.load32_splat(px, 4);
          a10 = multiplyAdd(v, d0, a10);
          a11 = multiplyAdd(v, d1, a11);
        }
        if (count > 2) {
          v = v128.load32_splat(px, 8);
          a20 = multiplyAdd(v, d0, a20);
          a21 = multiplyAdd(v, d1, a21);
        }
        px += xStep;
        pd += dyStep;
      }
    }
    v128.store(w, a00);
    v128.store(w, a01, 16);
    if (count > 1) {
      v128.store(w + dyStep, a10);
      v128.store(w + dyStep, a11, 16);
    }
    if (count > 2) {
      v128.store(w + 2 * dyStep, a20);
      v128.store(w + 2 * dyStep, a21, 16);
    }
  }
  for (let k = ci; k < inChannels; k++) {
    columns(x, dy, tap, n, row, stop, height, width, inChannels, outHeight, outWidth, outChannels, i, j, strideHeight, strideWidth, paddingHeight, paddingWidth, left, right, k, co);
  }
}

// One input channel, output channels from `first` on: what the tiles leave over.
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
