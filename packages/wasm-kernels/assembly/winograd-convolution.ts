import { copyImages, imageBytes } from './image-copies';
import { tile } from './tile';
import { putTile2 } from './winograd-2';
import { putTile4 } from './winograd-4';
import { PASS_BYTES, planeBytes, transformImages } from './winograd-transforms';

// y[n, oh, ow, co] = Σ x[n, oh + i − p, ow + j − p, ci] · w[i, j, ci, co] for images start … end − 1, by the minimal
// algorithm F(side × side, 3×3): u is w, transformed (winogradFilter). All channels are multiples of four.
//
// An infinite input makes NaN of whole tiles, also where its own products do not reach. Where a result is not finite, 1 is
// stored at `notFinite`: the caller computes by the definition then.
//
// `block` tiles pass at a time, a multiple of four. `scratch` holds, for each thread, PASS_BYTES, a row of zeros (width · inChannels), the
// transformed tiles [positions, block, inChannels] and their products [positions, block, outChannels rounded up to eight].
export function winogradConvolve(
  x: usize, u: usize, y: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, padding: i32, side: i32, block: i32, notFinite: usize,
  scratchBytes: i32, thread: i32,
): void {
  const positions = (side + 2) * (side + 2);
  const tileRows = (outHeight + side - 1) / side, tileColumns = (outWidth + side - 1) / side;
  const groups = (outChannels + 7) / 8;
  const inStep = (<usize>inChannels) << 2, outStep = (<usize>groups) << 5;
  const inPlane = planeBytes(block, inStep), outPlane = planeBytes(block, outStep);
  const filterPlane = planeBytes(groups * inChannels, 32);
  const pass = scratch + (<usize>scratchBytes) * (<usize>thread);
  const zeros = pass + PASS_BYTES;
  const v = zeros + ((<usize>(width * inChannels)) << 2);
  const m = v + (<usize>positions) * inPlane;
  memory.fill(zeros, 0, v - zeros);
  const last = end * tileRows * tileColumns;
  for (let from = start * tileRows * tileColumns; from < last; from += block) {
    const to = min(from + block, last);
    const rows = (to - from + 3) & ~3;
    transformImages(x, v, zeros, pass, inPlane, from, to, height, width, inChannels, tileRows, tileColumns, padding, side);
    const used = (<usize>(to - from)) * inStep;
    for (let p = 0; p < positions; p++) {
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
    const check = putTiles(m, y, pass, outPlane, outStep, from, to, outHeight, outWidth, outChannels, tileRows, tileColumns, side);
    if (v128.any_true(f32x4.ne(check, check))) store<i32>(notFinite, 1);
  }
}

// winogradConvolve over its own input, whose shape the output has: `copyBytes` of a thread's scratch memory, the first ones, hold
// the images meanwhile. Where a result is not finite, the images are as before.
export function winogradConvolveInPlace(
  x: usize, u: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, padding: i32, side: i32,
  block: i32, notFinite: usize, copyBytes: i32,
  scratchBytes: i32, thread: i32,
): void {
  const copy = scratch + (<usize>scratchBytes) * (<usize>thread);
  const images = copyImages(x, copy, start, end, height, width, channels);
  winogradConvolve(images, u, x, scratch + <usize>copyBytes, start, end, height, width, channels, height, width, channels, padding, side, block, notFinite, scratchBytes, thread);
  if (!load<i32>(notFinite)) return;
  const bytes = imageBytes(height, width, channels);
  memory.copy(x + (<usize>start) * bytes, copy, (<usize>(end - start)) * bytes);
}

// y = Aᵀ m A for tiles start … end − 1 of all images. Returns NaN if a result is not finite.
function putTiles(
  m: usize, y: usize, pass: usize, plane: usize, step: usize, start: i32, end: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, tileRows: i32, tileColumns: i32, side: i32,
): v128 {
  let check = f32x4.splat(0);
  const pixel = (<usize>outChannels) << 2;
  const rowBytes = (<usize>outWidth) * pixel;
  let column = start % tileColumns, row = start / tileColumns;
  for (let at = start; at < end; at++) {
    const oh = side * (row % tileRows), ow = side * column;
    const rows = min(side, outHeight - oh), columns = min(side, outWidth - ow);
    const to = y + (<usize>(row / tileRows * outHeight + oh)) * rowBytes + (<usize>ow) * pixel;
    for (let co: usize = 0; co < pixel; co += 16) {
      if (side == 2) check = f32x4.add(check, putTile2(m + co, plane, to + co, pixel, rowBytes, rows, columns));
      else check = f32x4.add(check, putTile4(m + co, plane, pass, to + co, pixel, rowBytes, rows, columns));
    }
    m += step;
    if (++column == tileColumns) {
      column = 0;
      row++;
    }
  }
  return check;
}
