import { activateImages, imagesIn } from './image-copies';
import { multiplyAdd } from './lanes';

// The positions of one filter tap that tiles pass over: their rows and columns, and the bytes from one to the next in x and dy.
let rows: i32 = 0, columns: i32 = 0;
let xRow: usize = 0, dyRow: usize = 0, xStep: usize = 0, dyStep: usize = 0;

// dw[i, j, ci, co] = Σ x[n, oh·s + i − p, ow·s + j − p, ci] · dy[n, oh, ow, co] over images start … end − 1.
// x [n, h, w, ci], dy [n, oh, ow, co], dw [k, k, ci, co].
export function filterGradient(
  x: usize, dy: usize, dw: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  memory.fill(dw, 0, (<usize>(kernelHeight * kernelWidth * inChannels * outChannels)) << 2);
  addFilterGradient(x, dy, dw, start, end, height, width, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth);
}

// filterGradient of max(0, x·scale + shift) by channel: all scales, then all shifts, lie at `affine`. Only as many activations
// exist at a time as fit into `copyBytes`, at least those of one image; `copies` holds so many bytes for each thread.
export function activatedFilterGradient(
  x: usize, affine: usize, dy: usize, dw: usize, copies: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, copyBytes: i32, thread: i32,
): void {
  memory.fill(dw, 0, (<usize>(kernelHeight * kernelWidth * inChannels * outChannels)) << 2);
  const copy = copies + (<usize>copyBytes) * (<usize>thread);
  const group = imagesIn(copyBytes, height, width, inChannels);
  for (let from = start; from < end; from += group) {
    const to = min(from + group, end);
    const activation = activateImages(x, affine, copy, from, to, height, width, inChannels);
    addFilterGradient(activation, dy, dw, from, to, height, width, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth);
  }
}

// Four input channels × eight output channels stay in registers while a band of rows, small enough for the first-level
// cache, passes; what is left over has tiles of other shapes.
function addFilterGradient(
  x: usize, dy: usize, dw: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  xStep = (<usize>(inChannels * strideWidth)) << 2;
  dyStep = (<usize>outChannels) << 2;
  xRow = (<usize>(inChannels * width * strideHeight)) << 2;
  dyRow = dyStep * <usize>outWidth;
  const band = max(1, min(outHeight, 4096 / (outWidth * max(inChannels * strideHeight * strideWidth, outChannels))));
  for (let n = start; n < end; n++) for (let row = 0; row < outHeight; row += band) {
    for (let i = 0; i < kernelHeight; i++) for (let j = 0; j < kernelWidth; j++) {
      const top = max(row, firstInside(paddingHeight - i, strideHeight));
      const left = firstInside(paddingWidth - j, strideWidth);
      rows = min(row + band, endInside(height - 1 + paddingHeight - i, strideHeight, outHeight)) - top;
      columns = endInside(width - 1 + paddingWidth - j, strideWidth, outWidth) - left;
      if (rows <= 0 || columns <= 0) continue;
      const inRow = top * strideHeight + i - paddingHeight, inColumn = left * strideWidth + j - paddingWidth;
      const px = x + ((<usize>(((n * height + inRow) * width + inColumn) * inChannels)) << 2);
      const pd = dy + ((<usize>(((n * outHeight + top) * outWidth + left) * outChannels)) << 2);
      tap(px, pd, dw + ((<usize>((i * kernelWidth + j) * inChannels * outChannels)) << 2), inChannels, outChannels);
    }
  }
}

// The first output position whose input position is inside, where `lack` input positions are missing in front.
// @ts-ignore: decorator
@inline
function firstInside(lack: i32, stride: i32): i32 {
  return lack > 0 ? (lack + stride - 1) / stride : 0;
}

// The output position after the last one whose input position is at most `reach`.
// @ts-ignore: decorator
@inline
function endInside(reach: i32, stride: i32, size: i32): i32 {
  return reach < 0 ? 0 : min(reach / stride + 1, size);
}

// All channels of one tap.
function tap(x: usize, dy: usize, dw: usize, inChannels: i32, outChannels: i32): void {
  const whole = inChannels & ~3;
  let ci = 0;
  for (; ci < whole; ci += 4) for (let co = 0; co + 8 <= outChannels; co += 8) {
    fourByEight(x + ((<usize>ci) << 2), dy + ((<usize>co) << 2), dw + ((<usize>(ci * outChannels + co)) << 2));
  }
  let co = outChannels & ~7;
  if (co + 4 <= outChannels) {
    const d = dy + ((<usize>co) << 2);
    for (ci = 0; ci + 8 <= whole; ci += 8) eightByFour(x + ((<usize>ci) << 2), d, dw + ((<usize>(ci * outChannels + co)) << 2));
    if (ci < whole) fourByFour(x + ((<usize>ci) << 2), d, dw + ((<usize>(ci * outChannels + co)) << 2));
    co += 4;
  }
  if (co < outChannels) {
    const d = dy + ((<usize>co) << 2);
    for (ci = 0; ci + 8 <= whole; ci += 8) eightByFew(x + ((<usize>ci) << 2), d, dw + ((<usize>(ci * outChannels + co)) << 2), outChannels - co);
    if (ci < whole) fourByFew(x + ((<usize>ci) << 2), d, dw + ((<usize>(ci * outChannels + co)) << 2), outChannels - co);
  }
  if (whole < inChannels) fewRows(x, dy, dw, whole, inChannels, outChannels);
}

// The last one to three input channels, such as those of images.
function fewRows(x: usize, dy: usize, dw: usize, first: i32, inChannels: i32, outChannels: i32): void {
  let co = 0;
  for (; co + 8 <= outChannels; co += 8) {
    fewByEight(x + ((<usize>first) << 2), dy + ((<usize>co) << 2), dw + ((<usize>(first * outChannels + co)) << 2), inChannels - first);
  }
  for (let ci = first; ci < inChannels; ci++) {
    let rest = co;
    for (; rest + 4 <= outChannels; rest += 4) {
      oneByFour(x + ((<usize>ci) << 2), dy + ((<usize>rest) << 2), dw + ((<usize>(ci * outChannels + rest)) << 2));
    }
    for (; rest < outChannels; rest++) {
      oneByOne(x + ((<usize>ci) << 2), dy + ((<usize>rest) << 2), dw + ((<usize>(ci * outChannels + rest)) << 2));
    }
  }
}

// Tiles of input by output channels: x, dy and w point to their first channels.

function fourByEight(x: usize, dy: usize, w0: usize): void {
  const w1 = w0 + dyStep, w2 = w1 + dyStep, w3 = w2 + dyStep;
  let a00 = v128.load(w0), a01 = v128.load(w0, 16), a10 = v128.load(w1), a11 = v128.load(w1, 16);
  let a20 = v128.load(w2), a21 = v128.load(w2, 16), a30 = v128.load(w3), a31 = v128.load(w3, 16);
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
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

function eightByFour(x: usize, dy: usize, w0: usize): void {
  const w1 = w0 + dyStep, w2 = w1 + dyStep, w3 = w2 + dyStep, w4 = w3 + dyStep, w5 = w4 + dyStep, w6 = w5 + dyStep, w7 = w6 + dyStep;
  let a0 = v128.load(w0), a1 = v128.load(w1), a2 = v128.load(w2), a3 = v128.load(w3);
  let a4 = v128.load(w4), a5 = v128.load(w5), a6 = v128.load(w6), a7 = v128.load(w7);
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      const d = v128.load(pd);
      a0 = multiplyAdd(v128.load32_splat(px), d, a0); a1 = multiplyAdd(v128.load32_splat(px, 4), d, a1);
      a2 = multiplyAdd(v128.load32_splat(px, 8), d, a2); a3 = multiplyAdd(v128.load32_splat(px, 12), d, a3);
      a4 = multiplyAdd(v128.load32_splat(px, 16), d, a4); a5 = multiplyAdd(v128.load32_splat(px, 20), d, a5);
      a6 = multiplyAdd(v128.load32_splat(px, 24), d, a6); a7 = multiplyAdd(v128.load32_splat(px, 28), d, a7);
      px += xStep;
      pd += dyStep;
    }
  }
  v128.store(w0, a0); v128.store(w1, a1); v128.store(w2, a2); v128.store(w3, a3);
  v128.store(w4, a4); v128.store(w5, a5); v128.store(w6, a6); v128.store(w7, a7);
}

function fourByFour(x: usize, dy: usize, w0: usize): void {
  const w1 = w0 + dyStep, w2 = w1 + dyStep, w3 = w2 + dyStep;
  let a0 = v128.load(w0), a1 = v128.load(w1), a2 = v128.load(w2), a3 = v128.load(w3);
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      const d = v128.load(pd);
      a0 = multiplyAdd(v128.load32_splat(px), d, a0); a1 = multiplyAdd(v128.load32_splat(px, 4), d, a1);
      a2 = multiplyAdd(v128.load32_splat(px, 8), d, a2); a3 = multiplyAdd(v128.load32_splat(px, 12), d, a3);
      px += xStep;
      pd += dyStep;
    }
  }
  v128.store(w0, a0); v128.store(w1, a1); v128.store(w2, a2); v128.store(w3, a3);
}

// One to three output channels: the lanes are input channels.
function eightByFew(x: usize, dy: usize, w: usize, count: i32): void {
  let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00;
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      const x0 = v128.load(px), x1 = v128.load(px, 16);
      let d = v128.load32_splat(pd);
      a00 = multiplyAdd(x0, d, a00); a01 = multiplyAdd(x1, d, a01);
      if (count > 1) {
        d = v128.load32_splat(pd, 4);
        a10 = multiplyAdd(x0, d, a10); a11 = multiplyAdd(x1, d, a11);
      }
      if (count > 2) {
        d = v128.load32_splat(pd, 8);
        a20 = multiplyAdd(x0, d, a20); a21 = multiplyAdd(x1, d, a21);
      }
      px += xStep;
      pd += dyStep;
    }
  }
  addLanes(w, a00); addLanes(w + 4 * dyStep, a01);
  if (count > 1) {
    addLanes(w + 4, a10); addLanes(w + 4 + 4 * dyStep, a11);
  }
  if (count > 2) {
    addLanes(w + 8, a20); addLanes(w + 8 + 4 * dyStep, a21);
  }
}

function fourByFew(x: usize, dy: usize, w: usize, count: i32): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0;
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      const v = v128.load(px);
      a0 = multiplyAdd(v, v128.load32_splat(pd), a0);
      if (count > 1) a1 = multiplyAdd(v, v128.load32_splat(pd, 4), a1);
      if (count > 2) a2 = multiplyAdd(v, v128.load32_splat(pd, 8), a2);
      px += xStep;
      pd += dyStep;
    }
  }
  addLanes(w, a0);
  if (count > 1) addLanes(w + 4, a1);
  if (count > 2) addLanes(w + 8, a2);
}

// Adds the lanes to the weights of four input channels.
// @ts-ignore: decorator
@inline
function addLanes(w: usize, v: v128): void {
  const w1 = w + dyStep, w2 = w1 + dyStep, w3 = w2 + dyStep;
  store<f32>(w, load<f32>(w) + f32x4.extract_lane(v, 0));
  store<f32>(w1, load<f32>(w1) + f32x4.extract_lane(v, 1));
  store<f32>(w2, load<f32>(w2) + f32x4.extract_lane(v, 2));
  store<f32>(w3, load<f32>(w3) + f32x4.extract_lane(v, 3));
}

// One to three input channels.
function fewByEight(x: usize, dy: usize, w0: usize, count: i32): void {
  const w1 = w0 + dyStep, w2 = w1 + dyStep;
  let a00 = v128.load(w0), a01 = v128.load(w0, 16);
  let a10 = f32x4.splat(0), a11 = a10, a20 = a10, a21 = a10;
  if (count > 1) {
    a10 = v128.load(w1); a11 = v128.load(w1, 16);
  }
  if (count > 2) {
    a20 = v128.load(w2); a21 = v128.load(w2, 16);
  }
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      const d0 = v128.load(pd), d1 = v128.load(pd, 16);
      let v = v128.load32_splat(px);
      a00 = multiplyAdd(v, d0, a00); a01 = multiplyAdd(v, d1, a01);
      if (count > 1) {
        v = v128.load32_splat(px, 4);
        a10 = multiplyAdd(v, d0, a10); a11 = multiplyAdd(v, d1, a11);
      }
      if (count > 2) {
        v = v128.load32_splat(px, 8);
        a20 = multiplyAdd(v, d0, a20); a21 = multiplyAdd(v, d1, a21);
      }
      px += xStep;
      pd += dyStep;
    }
  }
  v128.store(w0, a00); v128.store(w0, a01, 16);
  if (count > 1) {
    v128.store(w1, a10); v128.store(w1, a11, 16);
  }
  if (count > 2) {
    v128.store(w2, a20); v128.store(w2, a21, 16);
  }
}

function oneByFour(x: usize, dy: usize, w: usize): void {
  let a = v128.load(w);
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      a = multiplyAdd(v128.load32_splat(px), v128.load(pd), a);
      px += xStep;
      pd += dyStep;
    }
  }
  v128.store(w, a);
}

function oneByOne(x: usize, dy: usize, w: usize): void {
  let a = load<f32>(w);
  for (let row = 0; row < rows; row++) {
    let px = x + <usize>row * xRow, pd = dy + <usize>row * dyRow;
    for (let column = 0; column < columns; column++) {
      a += load<f32>(px) * load<f32>(pd);
      px += xStep;
      pd += dyStep;
    }
  }
  store<f32>(w, a);
}
