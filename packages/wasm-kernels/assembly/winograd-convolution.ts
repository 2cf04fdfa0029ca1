import { multiplyAdd } from './lanes';
import { tile } from './tile';
import { planeBytes, transformImages } from './winograd-transforms';

// y[n, oh, ow, co] = Σ x[n, oh + i − p, ow + j − p, ci] · w[i, j, ci, co] for images start … end − 1, by the minimal
// algorithm F(2×2, 3×3): u is w, transformed (winogradFilter). All channels are multiples of four.
//
// An infinite input makes NaN of whole tiles, also where its own products do not reach. Where a result is not finite, 1 is
// stored at `notFinite`: the caller computes by the definition then.
//
// `block` tiles of 2×2 outputs pass at a time, a multiple of four. `scratch` holds, for each thread, a row of zeros (width · inChannels), the
// transformed tiles [16, block, inChannels] and their products [16, block, outChannels rounded up to eight].
export function winogradConvolve(
  x: usize, u: usize, y: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, padding: i32, block: i32, notFinite: usize,
  scratchBytes: i32, thread: i32,
): void {
  const tileRows = (outHeight + 1) / 2, tileColumns = (outWidth + 1) / 2;
  const groups = (outChannels + 7) / 8;
  const inStep = (<usize>inChannels) << 2, outStep = (<usize>groups) << 5;
  const inPlane = planeBytes(block, inStep), outPlane = planeBytes(block, outStep);
  const filterPlane = (<usize>(groups * inChannels)) << 5;
  const zeros = scratch + (<usize>scratchBytes) * (<usize>thread);
  const v = zeros + ((<usize>(width * inChannels)) << 2);
  const m = v + 16 * inPlane;
  memory.fill(zeros, 0, v - zeros);
  const last = end * tileRows * tileColumns;
  for (let from = start * tileRows * tileColumns; from < last; from += block) {
    const to = min(from + block, last);
    const rows = (to - from + 3) & ~3;
    transformImages(x, v, zeros, inPlane, from, to, height, width, inChannels, tileRows, tileColumns, padding);
    const used = (<usize>(to - from)) * inStep;
    for (let p = 0; p < 16; p++) {
      const left = v + (<usize>p) * inPlane, product = m + (<usize>p) * outPlane;
      memory.fill(left + used, 0, (<usize>rows) * inStep - used);
      let right = u + (<usize>p) * filterPlane;
      for (let group = 0; group < groups; group++) {
        for (let row = 0; row < rows; row += 4) {
          const at = product + (<usize>row) * outStep + ((<usize>group) << 5);
          tile(left + (<usize>row) * inStep, right, at, 1, inChannels, 0, inStep, outStep, 8);
        }
        right += (<usize>inChannels) << 5;
      }
    }
    const check = putTiles(m, y, outPlane, outStep, from, to, outHeight, outWidth, outChannels, tileRows, tileColumns);
    if (v128.any_true(f32x4.ne(check, check))) store<i32>(notFinite, 1);
  }
}

// y = Aᵀ m A for tiles start … end − 1 of all images. Returns NaN if a result is not finite.
function putTiles(
  m: usize, y: usize, plane: usize, step: usize, start: i32, end: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, tileRows: i32, tileColumns: i32,
): v128 {
  const z = f32x4.splat(0);
  let check = z;
  const pixel = (<usize>outChannels) << 2;
  const rowBytes = (<usize>outWidth) * pixel;
  let column = start % tileColumns, row = start / tileColumns;
  for (let at = start; at < end; at++) {
    const oh = 2 * (row % tileRows), ow = 2 * column;
    const hasBelow = oh + 1 < outHeight, hasRight = ow + 1 < outWidth;
    const target = y + (<usize>(row / tileRows * outHeight + oh)) * rowBytes + (<usize>ow) * pixel;
    for (let co: usize = 0; co < pixel; co += 16) {
      let from = m + co;
      // Sums down the columns, then along the rows.
      const m00 = v128.load(from), m01 = v128.load(from + plane), m02 = v128.load(from + 2 * plane), m03 = v128.load(from + 3 * plane);
      from += 4 * plane;
      const m10 = v128.load(from), m11 = v128.load(from + plane), m12 = v128.load(from + 2 * plane), m13 = v128.load(from + 3 * plane);
      from += 4 * plane;
      const m20 = v128.load(from), m21 = v128.load(from + plane), m22 = v128.load(from + 2 * plane), m23 = v128.load(from + 3 * plane);
      from += 4 * plane;
      const s0 = f32x4.add(f32x4.add(m00, m10), m20), t0 = f32x4.sub(m10, m20);
      const s1 = f32x4.add(f32x4.add(m01, m11), m21), t1 = f32x4.sub(m11, m21);
      const s2 = f32x4.add(f32x4.add(m02, m12), m22), t2 = f32x4.sub(m12, m22);
      const s3 = f32x4.add(f32x4.add(m03, m13), m23), t3 = f32x4.sub(m13, m23);
      const to = target + co;
      const y00 = f32x4.add(f32x4.add(s0, s1), s2);
      v128.store(to, y00);
      check = multiplyAdd(y00, z, check);
      if (hasRight) {
        const y01 = f32x4.sub(f32x4.sub(s1, s2), s3);
        v128.store(to + pixel, y01);
        check = multiplyAdd(y01, z, check);
      }
      if (hasBelow) {
        const u0 = f32x4.sub(t0, v128.load(from)), u1 = f32x4.sub(t1, v128.load(from + plane));
        const u2 = f32x4.sub(t2, v128.load(from + 2 * plane)), u3 = f32x4.sub(t3, v128.load(from + 3 * plane));
        const y10 = f32x4.add(f32x4.add(u0, u1), u2);
        v128.store(to + rowBytes, y10);
        check = multiplyAdd(y10, z, check);
        if (hasRight) {
          const y11 = f32x4.sub(f32x4.sub(u1, u2), u3);
          v128.store(to + rowBytes + pixel, y11);
          check = multiplyAdd(y11, z, check);
        }
      }
    }
    m += step;
    if (++column == tileColumns) {
      column = 0;
      row++;
    }
  }
  return check;
}
