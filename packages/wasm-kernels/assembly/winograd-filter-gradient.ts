import { multiplyAdd } from './lanes';
import { planeBytes, transformImages } from './winograd-transforms';

// dw[i, j, ci, co] = Σ x[n, oh + i − p, ow + j − p, ci] · dy[n, oh, ow, co] over images start … end − 1: the transpose of
// F(2×2, 3×3) in the filter, dw = Gᵀ [ Σ (Bᵀ d B) ⊙ (A dy Aᵀ) ] G, with 16 multiplications instead of 36 per 2×2 of dy.
// Input channels are a multiple of four, output channels of eight.
//
// Where a result is not finite, 1 is stored at `notFinite` (winogradConvolve says why).
//
// sums [16, inChannels, outChannels] receives dw in its first nine planes. `scratch` holds, for each thread, a row of zeros (width ·
// inChannels) and the transformed tiles [16, block, inChannels] and [16, block, outChannels].
export function winogradFilterGradient(
  x: usize, dy: usize, sums: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, padding: i32, block: i32, notFinite: usize,
  scratchBytes: i32, thread: i32,
): void {
  const tileRows = (outHeight + 1) / 2, tileColumns = (outWidth + 1) / 2;
  const inStep = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  const inPlane = planeBytes(block, inStep), outPlane = planeBytes(block, outStep);
  const sumPlane = (<usize>inChannels) * outStep;
  const zeros = scratch + (<usize>scratchBytes) * (<usize>thread);
  const v = zeros + ((<usize>(width * inChannels)) << 2);
  const d = v + 16 * inPlane;
  memory.fill(zeros, 0, v - zeros);
  memory.fill(sums, 0, 16 * sumPlane);
  const last = end * tileRows * tileColumns;
  for (let from = start * tileRows * tileColumns; from < last; from += block) {
    const to = min(from + block, last);
    transformImages(x, v, zeros, inPlane, from, to, height, width, inChannels, tileRows, tileColumns, padding);
    transformCotangents(dy, d, outPlane, from, to, outHeight, outWidth, outChannels, tileRows, tileColumns);
    for (let p = 0; p < 16; p++) {
      addProducts(v + (<usize>p) * inPlane, d + (<usize>p) * outPlane, sums + (<usize>p) * sumPlane, to - from, inChannels, outChannels);
    }
  }
  let check = f32x4.splat(0);
  for (let at: usize = 0; at < sumPlane; at += 16) check = f32x4.add(check, transformSum(sums + at, sumPlane));
  if (v128.any_true(f32x4.ne(check, check))) store<i32>(notFinite, 1);
}

// d[position][tile][channel] = A dy Aᵀ for tiles start … end − 1 of all images.
function transformCotangents(
  dy: usize, d: usize, plane: usize, start: i32, end: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, tileRows: i32, tileColumns: i32,
): void {
  const z = f32x4.splat(0);
  const pixel = (<usize>outChannels) << 2;
  const rowBytes = (<usize>outWidth) * pixel;
  let column = start % tileColumns, row = start / tileColumns;
  for (let at = start; at < end; at++) {
    const oh = 2 * (row % tileRows), ow = 2 * column;
    const hasBelow = oh + 1 < outHeight, hasRight = ow + 1 < outWidth;
    const source = dy + (<usize>(row / tileRows * outHeight + oh)) * rowBytes + (<usize>ow) * pixel;
    for (let co: usize = 0; co < pixel; co += 16) {
      const from = source + co;
      const y00 = v128.load(from);
      const y01 = hasRight ? v128.load(from + pixel) : z;
      const y10 = hasBelow ? v128.load(from + rowBytes) : z;
      const y11 = hasBelow && hasRight ? v128.load(from + rowBytes + pixel) : z;
      let to = d + co;
      putRow(to, plane, y00, y01); to += 4 * plane;
      putRow(to, plane, f32x4.add(y00, y10), f32x4.add(y01, y11)); to += 4 * plane;
      putRow(to, plane, f32x4.sub(y00, y10), f32x4.sub(y01, y11)); to += 4 * plane;
      putRow(to, plane, f32x4.neg(y10), f32x4.neg(y11));
    }
    d += pixel;
    if (++column == tileColumns) {
      column = 0;
      row++;
    }
  }
}

// @ts-ignore: decorator
@inline
function putRow(to: usize, plane: usize, left: v128, right: v128): void {
  v128.store(to, left);
  v128.store(to + plane, f32x4.add(left, right));
  v128.store(to + 2 * plane, f32x4.sub(left, right));
  v128.store(to + 3 * plane, f32x4.neg(right));
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

// Gᵀ m G of four weights, in place: the sixteen values of m lie a plane apart, and so do the nine of the result.
// Returns NaN if a result is not finite.
// @ts-ignore: decorator
@inline
function transformSum(m: usize, plane: usize): v128 {
  const z = f32x4.splat(0);
  let check = z;
  const half = f32x4.splat(0.5);
  // Rows first: Gᵀ m takes rows 0 … 2 of four.
  for (let j = 0; j < 4; j++) {
    const column = m + (<usize>j) * plane;
    const m1 = v128.load(column + 4 * plane), m2 = v128.load(column + 8 * plane);
    const sum = f32x4.mul(half, f32x4.add(m1, m2));
    v128.store(column, f32x4.add(v128.load(column), sum));
    v128.store(column + 4 * plane, f32x4.mul(half, f32x4.sub(m1, m2)));
    v128.store(column + 8 * plane, f32x4.add(v128.load(column + 12 * plane), sum));
  }
  // Row i of the result lies three planes per row: it never overtakes the row that it is made from.
  for (let i = 0; i < 3; i++) {
    const row = m + (<usize>(4 * i)) * plane;
    const m0 = v128.load(row), m1 = v128.load(row + plane), m2 = v128.load(row + 2 * plane), m3 = v128.load(row + 3 * plane);
    const sum = f32x4.mul(half, f32x4.add(m1, m2));
    const to = m + (<usize>(3 * i)) * plane;
    const g0 = f32x4.add(m0, sum), g1 = f32x4.mul(half, f32x4.sub(m1, m2)), g2 = f32x4.add(m3, sum);
    v128.store(to, g0);
    v128.store(to + plane, g1);
    v128.store(to + 2 * plane, g2);
    check = multiplyAdd(g0, z, multiplyAdd(g1, z, multiplyAdd(g2, z, check)));
  }
  return check;
}
