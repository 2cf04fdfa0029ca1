import { activateImages, imagesIn } from './image-copies';
import { multiplyAdd } from './lanes';
import { cotangentTile2, sumLine2 } from './winograd-2';
import { cotangentTile4, sumLine4 } from './winograd-4';
import { PASS_BYTES, planeBytes, transformImages } from './winograd-transforms';

// dw[i, j, ci, co] = Σ x[n, oh + i − p, ow + j − p, ci] · dy[n, oh, ow, co]: the transpose of F(side × side, 3×3) in the
// filter, dw = Gᵀ [ Σ (Bᵀ d B) ⊙ (A dy Aᵀ) ] G, with as few multiplications. Input channels are a multiple of four, output
// channels of eight.

// The inner sums over images start … end − 1: sums [positions, inChannels, outChannels], its planes a line of cache apart.
// `scratch` holds, for each thread, PASS_BYTES, a row of zeros (width · inChannels) and the transformed tiles
// [positions, block, inChannels] and [positions, block, outChannels].
export function winogradFilterProducts(
  x: usize, dy: usize, sums: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, padding: i32, side: i32, block: i32,
  scratchBytes: i32, thread: i32,
): void {
  clearSums(sums, inChannels, outChannels, side);
  addTiles(x, dy, sums, scratch + (<usize>scratchBytes) * (<usize>thread), start, end, height, width, inChannels, outHeight, outWidth, outChannels, padding, side, block);
}

// winogradFilterProducts of an activation, as activatedFilterGradient computes it: `copyBytes` of a thread's scratch memory,
// the first ones, hold it.
export function winogradActivatedFilterProducts(
  x: usize, affine: usize, dy: usize, sums: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32,
  inChannels: i32, outHeight: i32, outWidth: i32, outChannels: i32, padding: i32, side: i32, block: i32, copyBytes: i32,
  scratchBytes: i32, thread: i32,
): void {
  clearSums(sums, inChannels, outChannels, side);
  const copy = scratch + (<usize>scratchBytes) * (<usize>thread);
  const group = imagesIn(copyBytes, height, width, inChannels);
  for (let from = start; from < end; from += group) {
    const to = min(from + group, end);
    const activation = activateImages(x, affine, copy, from, to, height, width, inChannels);
    addTiles(activation, dy, sums, copy + <usize>copyBytes, from, to, height, width, inChannels, outHeight, outWidth, outChannels, padding, side, block);
  }
}

function clearSums(sums: usize, inChannels: i32, outChannels: i32, side: i32): void {
  const positions = (side + 2) * (side + 2);
  memory.fill(sums, 0, (<usize>positions) * planeBytes(inChannels, (<usize>outChannels) << 2));
}

// Adds the products of images start … end − 1. `pass` is a thread's scratch memory.
function addTiles(
  x: usize, dy: usize, sums: usize, pass: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, padding: i32, side: i32, block: i32,
): void {
  const positions = (side + 2) * (side + 2);
  const tileRows = (outHeight + side - 1) / side, tileColumns = (outWidth + side - 1) / side;
  const inStep = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  const inPlane = planeBytes(block, inStep), outPlane = planeBytes(block, outStep);
  const sumPlane = planeBytes(inChannels, outStep);
  const zeros = pass + PASS_BYTES;
  const v = zeros + ((<usize>(width * inChannels)) << 2);
  const d = v + (<usize>positions) * inPlane;
  memory.fill(zeros, 0, v - zeros);
  const last = end * tileRows * tileColumns;
  for (let from = start * tileRows * tileColumns; from < last; from += block) {
    const to = min(from + block, last);
    transformImages(x, v, zeros, pass, inPlane, from, to, height, width, inChannels, tileRows, tileColumns, padding, side);
    transformCotangents(dy, d, pass, outPlane, from, to, outHeight, outWidth, outChannels, tileRows, tileColumns, side);
    for (let p = 0; p < positions; p++) {
      addProducts(v + (<usize>p) * inPlane, d + (<usize>p) * outPlane, sums + (<usize>p) * sumPlane, to - from, inChannels, outChannels);
    }
  }
}

// d[position][tile][channel] = A dy Aᵀ for tiles start … end − 1 of all images.
function transformCotangents(
  dy: usize, d: usize, pass: usize, plane: usize, start: i32, end: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, tileRows: i32, tileColumns: i32, side: i32,
): void {
  const pixel = (<usize>outChannels) << 2;
  const rowBytes = (<usize>outWidth) * pixel;
  let column = start % tileColumns, row = start / tileColumns;
  for (let at = start; at < end; at++) {
    const oh = side * (row % tileRows), ow = side * column;
    const rows = min(side, outHeight - oh), columns = min(side, outWidth - ow);
    const from = dy + (<usize>(row / tileRows * outHeight + oh)) * rowBytes + (<usize>ow) * pixel;
    for (let co: usize = 0; co < pixel; co += 16) {
      if (side == 2) cotangentTile2(from + co, pixel, rowBytes, rows, columns, d + co, plane);
      else cotangentTile4(from + co, pixel, rowBytes, rows, columns, pass, d + co, plane);
    }
    d += pixel;
    if (++column == tileColumns) {
      column = 0;
      row++;
    }
  }
}

// sums[ci, co] += Σ v[tile, ci] · d[tile, co]. Four input channels × eight output channels stay in registers.
function addProducts(v: usize, d: usize, sums: usize, tiles: i32, inChannels: i32, outChannels: i32): void {
  const inStep = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  const stop = v + (<usize>tiles) * inStep;
  for (let ci: usize = 0; ci < inStep; ci += 16) for (let co: usize = 0; co < outStep; co += 32) {
    const w0 = sums + (ci >> 2) * outStep + co, w1 = w0 + outStep, w2 = w1 + outStep, w3 = w2 + outStep;
    let a00 = v128.load(w0), a01 = v128.load(w0, 16), a10 = v128.load(w1), a11 = v128.load(w1, 16);
    let a20 = v128.load(w2), a21 = v128.load(w2, 16), a30 = v128.load(w3), a31 = v128.load(w3, 16);
    for (let px = v + ci, pd = d + co; px < stop; px += inStep, pd += outStep) {
      const d0 = v128.load(pd), d1 = v128.load(pd, 16);
      let s = v128.load32_splat(px);
      a00 = multiplyAdd(s, d0, a00); a01 = multiplyAdd(s, d1, a01);
      s = v128.load32_splat(px, 4);
      a10 = multiplyAdd(s, d0, a10); a11 = multiplyAdd(s, d1, a11);
      s = v128.load32_splat(px, 8);
      a20 = multiplyAdd(s, d0, a20); a21 = multiplyAdd(s, d1, a21);
      s = v128.load32_splat(px, 12);
      a30 = multiplyAdd(s, d0, a30); a31 = multiplyAdd(s, d1, a31);
    }
    v128.store(w0, a00); v128.store(w0, a01, 16); v128.store(w1, a10); v128.store(w1, a11, 16);
    v128.store(w2, a20); v128.store(w2, a21, 16); v128.store(w3, a30); v128.store(w3, a31, 16);
  }
}

// dw = Gᵀ m G of weights start … end − 1 of each tap, where m is the sum of `count` inner sums, `step` bytes apart, which are
// overwritten. `weights` is inChannels · outChannels; start and end are multiples of sixteen: a line of cache.
//
// Where a result is not finite, 1 is stored at `notFinite` (winogradConvolve says why).
export function winogradFilterSum(
  sums: usize, dw: usize, count: i32, step: usize, weights: i32, side: i32, notFinite: usize, start: i32, end: i32,
): void {
  const span = side + 2;
  const tap = (<usize>weights) << 2;
  const plane = planeBytes(weights, 4);
  const row = (<usize>span) * plane;
  const z = f32x4.splat(0);
  let check = z;
  for (let i = start; i < end; i += 16) {
    const m = sums + ((<usize>i) << 2), to = dw + ((<usize>i) << 2);
    for (let p = 0; p < span * span; p++) addLines(m + (<usize>p) * plane, count, step);
    for (let at: usize = 0; at < 64; at += 16) {
      // Down the columns, then along the rows.
      for (let j = 0; j < span; j++) sumLine(side, m + at + (<usize>j) * plane, row, m + at + (<usize>j) * plane, row);
      for (let j = 0; j < 3; j++) sumLine(side, m + at + (<usize>j) * row, plane, to + at + (<usize>(3 * j)) * tap, tap);
      for (let j = 0; j < 9; j++) check = multiplyAdd(v128.load(to + at + (<usize>j) * tap), z, check);
    }
  }
  if (v128.any_true(f32x4.ne(check, check))) store<i32>(notFinite, 1);
}

// Adds a line of cache of all sums to the first's.
// @ts-ignore: decorator
@inline
function addLines(to: usize, count: i32, step: usize): void {
  let s0 = v128.load(to), s1 = v128.load(to, 16), s2 = v128.load(to, 32), s3 = v128.load(to, 48);
  let from = to;
  for (let k = 1; k < count; k++) {
    from += step;
    s0 = f32x4.add(s0, v128.load(from));
    s1 = f32x4.add(s1, v128.load(from, 16));
    s2 = f32x4.add(s2, v128.load(from, 32));
    s3 = f32x4.add(s3, v128.load(from, 48));
  }
  v128.store(to, s0); v128.store(to, s1, 16); v128.store(to, s2, 32); v128.store(to, s3, 48);
}

// @ts-ignore: decorator
@inline
function sumLine(side: i32, from: usize, step: usize, to: usize, toStep: usize): void {
  if (side == 2) sumLine2(from, step, to, toStep);
  else sumLine4(from, step, to, toStep);
}
