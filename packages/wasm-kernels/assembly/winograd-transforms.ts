import { filterLine2, transformRow2 } from './winograd-2';
import { filterLine4, transformRow4 } from './winograd-4';

// Transforms of the minimal algorithm F(m×m, 3×3) (Lavin and Gray 2016, "Fast algorithms for convolutional neural
// networks", section 4.1): a tile of m×m outputs of a 3×3 convolution takes (m + 2)² multiplications instead of 9m².
//
//   y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A     d: (m + 2)×(m + 2) inputs, g: 3×3 filter, y: m×m outputs
//
// `side` is m: 2 or 4. The sum over channels makes ⊙ (m + 2)² matrix products, one for each position of a tile; all arrays
// here are therefore [(m + 2)², …], a plane for each position. Every transform works on four channels at once.

// Bytes in front of a thread's tiles, for the values of one tile between two passes.
export const PASS_BYTES: usize = 36 * 16;

// u[position][group][in channel][8] = G g Gᵀ for groups start … end − 1 of eight output channels, zeros beyond the last.
// w [3, 3, inChannels, outChannels] as it is, or (turned) w [3, 3, outChannels, inChannels] with its taps reversed.
export function winogradFilter(
  w: usize, u: usize, inChannels: i32, outChannels: i32, isTurned: i32, side: i32, start: i32, end: i32,
): void {
  const span = side + 2;
  const plane = planeBytes((outChannels + 7) / 8 * inChannels, 32);
  for (let group = start; group < end; group++) for (let c = 0; c < inChannels; c++) for (let lane = 0; lane < 8; lane += 4) {
    const to = u + ((<usize>(group * inChannels + c)) << 5) + ((<usize>lane) << 2);
    const first = group * 8 + lane;
    if (first >= outChannels) {
      for (let p = 0; p < span * span; p++) v128.store(to + (<usize>p) * plane, f32x4.splat(0));
      continue;
    }
    // One column of g at a time: its transformed values go to the positions' rows, which then are transformed.
    for (let j = 0; j < 3; j++) {
      const g0 = taps(w, j, c, first, inChannels, outChannels, isTurned);
      const g1 = taps(w, 3 + j, c, first, inChannels, outChannels, isTurned);
      const g2 = taps(w, 6 + j, c, first, inChannels, outChannels, isTurned);
      filterLine(side, g0, g1, g2, to + (<usize>j) * plane, (<usize>span) * plane);
    }
    for (let i = 0; i < span; i++) {
      const row = to + (<usize>(span * i)) * plane;
      filterLine(side, v128.load(row), v128.load(row + plane), v128.load(row + 2 * plane), row, plane);
    }
  }
}

// @ts-ignore: decorator
@inline
function filterLine(side: i32, g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  if (side == 2) filterLine2(g0, g1, g2, to, step);
  else filterLine4(g0, g1, g2, to, step);
}

// One tap of four output channels.
// @ts-ignore: decorator
@inline
function taps(w: usize, tap: i32, c: i32, first: i32, inChannels: i32, outChannels: i32, isTurned: i32): v128 {
  if (!isTurned) return v128.load(w + ((<usize>((tap * inChannels + c) * outChannels + first)) << 2));
  const step = (<usize>inChannels) << 2;
  const from = w + ((<usize>(((8 - tap) * outChannels + first) * inChannels + c)) << 2);
  let v = v128.load32_zero(from);
  v = v128.load_lane<f32>(from + step, v, 1);
  v = v128.load_lane<f32>(from + 2 * step, v, 2);
  return v128.load_lane<f32>(from + 3 * step, v, 3);
}

// Bytes from plane to plane of `count` entries. The line of cache between them keeps values at the same place of each plane,
// which are used together, out of one set of the first-level cache.
// @ts-ignore: decorator
@inline
export function planeBytes(count: i32, step: usize): usize {
  return (<usize>count) * step + 64;
}

// v[position][tile][channel] = Bᵀ d B for tiles start … end − 1 of all tiles of all images (row by row), from `v` on.
// x [n, height, width, channels]; tile (row, column) reads the pixels from (side · row − padding, side · column − padding)
// on. `zeros` holds a row of zeros, for the rows outside of the image; `pass` has PASS_BYTES.
export function transformImages(
  x: usize, v: usize, zeros: usize, pass: usize, plane: usize, start: i32, end: i32, height: i32, width: i32,
  channels: i32, tileRows: i32, tileColumns: i32, padding: i32, side: i32,
): void {
  const rowBytes = (<usize>(width * channels)) << 2;
  let to = v;
  for (let tile = start; tile < end; ) {
    const column = tile % tileColumns;
    const row = tile / tileColumns;
    const count = min(tileColumns - column, end - tile);
    const top = side * (row % tileRows) - padding;
    const left = side * column - padding;
    const image = x + (<usize>(row / tileRows * height)) * rowBytes;
    const r0 = rowOf(image, top, height, rowBytes, zeros), r1 = rowOf(image, top + 1, height, rowBytes, zeros);
    const r2 = rowOf(image, top + 2, height, rowBytes, zeros), r3 = rowOf(image, top + 3, height, rowBytes, zeros);
    if (side == 2) {
      transformRow2(r0, r1, r2, r3, left, width, channels, count, to, plane);
    } else {
      const r4 = rowOf(image, top + 4, height, rowBytes, zeros), r5 = rowOf(image, top + 5, height, rowBytes, zeros);
      transformRow4(r0, r1, r2, r3, r4, r5, left, width, channels, count, pass, to, plane);
    }
    to += (<usize>(count * channels)) << 2;
    tile += count;
  }
}

// @ts-ignore: decorator
@inline
function rowOf(image: usize, row: i32, height: i32, rowBytes: usize, zeros: usize): usize {
  return <u32>row < <u32>height ? image + (<usize>row) * rowBytes : zeros;
}
