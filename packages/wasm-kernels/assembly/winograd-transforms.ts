// Transforms of the minimal algorithm F(2×2, 3×3) (Lavin and Gray 2016, "Fast algorithms for convolutional neural
// networks", section 4.1): 2×2 outputs of a 3×3 convolution take 16 multiplications instead of 36.
//
//   y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A     d: 4×4 inputs, g: 3×3 filter, y: 2×2 outputs
//
// The sum over channels makes ⊙ sixteen matrix products, one for each of the 4×4 positions; all arrays here are therefore
// [16, …], a plane for each position. Every transform works on four channels at once.

// u[position][tile][in channel][8] = G g Gᵀ for tiles start … end − 1 of eight output channels, zeros beyond the last.
// w [3, 3, inChannels, outChannels] as it is, or (turned) w [3, 3, outChannels, inChannels] with its taps reversed.
export function winogradFilter(
  w: usize, u: usize, inChannels: i32, outChannels: i32, isTurned: i32, start: i32, end: i32,
): void {
  const plane = (<usize>((outChannels + 7) / 8 * inChannels)) << 5;
  const half = f32x4.splat(0.5);
  for (let tile = start; tile < end; tile++) for (let c = 0; c < inChannels; c++) for (let lane = 0; lane < 8; lane += 4) {
    const to = u + ((<usize>(tile * inChannels + c)) << 5) + ((<usize>lane) << 2);
    const first = tile * 8 + lane;
    if (first >= outChannels) {
      for (let p = 0; p < 16; p++) v128.store(to + (<usize>p) * plane, f32x4.splat(0));
      continue;
    }
    // One column of g at a time: its four transformed values go to the positions' rows, which then are transformed.
    for (let j = 0; j < 3; j++) {
      const g0 = taps(w, j, c, first, inChannels, outChannels, isTurned);
      const g1 = taps(w, 3 + j, c, first, inChannels, outChannels, isTurned);
      const g2 = taps(w, 6 + j, c, first, inChannels, outChannels, isTurned);
      const sum = f32x4.add(g0, g2);
      const column = to + (<usize>j) * plane;
      v128.store(column, g0);
      v128.store(column + 4 * plane, f32x4.mul(half, f32x4.add(sum, g1)));
      v128.store(column + 8 * plane, f32x4.mul(half, f32x4.sub(sum, g1)));
      v128.store(column + 12 * plane, g2);
    }
    for (let i = 0; i < 4; i++) {
      const row = to + (<usize>(4 * i)) * plane;
      const g0 = v128.load(row), g1 = v128.load(row + plane), g2 = v128.load(row + 2 * plane);
      const sum = f32x4.add(g0, g2);
      v128.store(row + plane, f32x4.mul(half, f32x4.add(sum, g1)));
      v128.store(row + 2 * plane, f32x4.mul(half, f32x4.sub(sum, g1)));
      v128.store(row + 3 * plane, g2);
    }
  }
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

// Bytes from plane to plane of a block of tiles. The line of cache between them keeps the sixteen values of a tile, which
// are written together, out of one set of the first-level cache.
// @ts-ignore: decorator
@inline
export function planeBytes(block: i32, step: usize): usize {
  return (<usize>block) * step + 64;
}

// v[position][tile][channel] = Bᵀ d B for tiles start … end − 1 of all tiles of all images (row by row), from `v` on.
// x [n, height, width, channels]; tile (row, column) reads the 4×4 pixels from (2 · row − padding, 2 · column − padding)
// on. `zeros` holds a row of zeros, for the rows outside of the image.
export function transformImages(
  x: usize, v: usize, zeros: usize, plane: usize, start: i32, end: i32, height: i32, width: i32, channels: i32,
  tileRows: i32, tileColumns: i32, padding: i32,
): void {
  const rowBytes = (<usize>(width * channels)) << 2;
  let to = v;
  for (let tile = start; tile < end; ) {
    const column = tile % tileColumns;
    const row = tile / tileColumns;
    const count = min(tileColumns - column, end - tile);
    const top = 2 * (row % tileRows) - padding;
    const image = x + (<usize>(row / tileRows * height)) * rowBytes;
    transformRow(
      rowOf(image, top, height, rowBytes, zeros), rowOf(image, top + 1, height, rowBytes, zeros),
      rowOf(image, top + 2, height, rowBytes, zeros), rowOf(image, top + 3, height, rowBytes, zeros),
      2 * column - padding, width, channels, count, to, plane,
    );
    to += (<usize>(count * channels)) << 2;
    tile += count;
  }
}

// @ts-ignore: decorator
@inline
function rowOf(image: usize, row: i32, height: i32, rowBytes: usize, zeros: usize): usize {
  return <u32>row < <u32>height ? image + (<usize>row) * rowBytes : zeros;
}

function transformRow(
  r0: usize, r1: usize, r2: usize, r3: usize, left: i32, width: i32, channels: i32, tiles: i32, v: usize, plane: usize,
): void {
  const pixel = (<usize>channels) << 2;
  for (let t = 0, column = left; t < tiles; t++, column += 2) {
    const at = (<usize>column) * pixel;
    const to = v + (<usize>t) * pixel;
    if (column >= 0 && column + 3 < width) {
      for (let c: usize = 0; c < pixel; c += 16) {
        const from = at + c;
        transformTile(
          to + c, plane,
          v128.load(r0 + from), v128.load(r0 + from + pixel), v128.load(r0 + from + 2 * pixel), v128.load(r0 + from + 3 * pixel),
          v128.load(r1 + from), v128.load(r1 + from + pixel), v128.load(r1 + from + 2 * pixel), v128.load(r1 + from + 3 * pixel),
          v128.load(r2 + from), v128.load(r2 + from + pixel), v128.load(r2 + from + 2 * pixel), v128.load(r2 + from + 3 * pixel),
          v128.load(r3 + from), v128.load(r3 + from + pixel), v128.load(r3 + from + 2 * pixel), v128.load(r3 + from + 3 * pixel),
        );
      }
    } else {
      transformBorder(r0, r1, r2, r3, at, column, width, pixel, to, plane);
    }
  }
}

// A tile with columns outside of the image, which are zeros.
function transformBorder(
  r0: usize, r1: usize, r2: usize, r3: usize, at: usize, column: i32, width: i32, pixel: usize, to: usize, plane: usize,
): void {
  const z = f32x4.splat(0);
  const h0 = <u32>column < <u32>width, h1 = <u32>(column + 1) < <u32>width;
  const h2 = <u32>(column + 2) < <u32>width, h3 = <u32>(column + 3) < <u32>width;
  for (let c: usize = 0; c < pixel; c += 16) {
    const f0 = at + c, f1 = f0 + pixel, f2 = f1 + pixel, f3 = f2 + pixel;
    transformTile(
      to + c, plane,
      h0 ? v128.load(r0 + f0) : z, h1 ? v128.load(r0 + f1) : z, h2 ? v128.load(r0 + f2) : z, h3 ? v128.load(r0 + f3) : z,
      h0 ? v128.load(r1 + f0) : z, h1 ? v128.load(r1 + f1) : z, h2 ? v128.load(r1 + f2) : z, h3 ? v128.load(r1 + f3) : z,
      h0 ? v128.load(r2 + f0) : z, h1 ? v128.load(r2 + f1) : z, h2 ? v128.load(r2 + f2) : z, h3 ? v128.load(r2 + f3) : z,
      h0 ? v128.load(r3 + f0) : z, h1 ? v128.load(r3 + f1) : z, h2 ? v128.load(r3 + f2) : z, h3 ? v128.load(r3 + f3) : z,
    );
  }
}

// Bᵀ d B: d B row by row, then down the columns.
// @ts-ignore: decorator
@inline
function transformTile(
  to: usize, plane: usize, d00: v128, d01: v128, d02: v128, d03: v128, d10: v128, d11: v128, d12: v128, d13: v128,
  d20: v128, d21: v128, d22: v128, d23: v128, d30: v128, d31: v128, d32: v128, d33: v128,
): void {
  const a0 = f32x4.sub(d00, d02), a1 = f32x4.add(d01, d02), a2 = f32x4.sub(d02, d01), a3 = f32x4.sub(d01, d03);
  const c0 = f32x4.sub(d20, d22), c1 = f32x4.add(d21, d22), c2 = f32x4.sub(d22, d21), c3 = f32x4.sub(d21, d23);
  putRow(to, plane, f32x4.sub(a0, c0), f32x4.sub(a1, c1), f32x4.sub(a2, c2), f32x4.sub(a3, c3));
  const b0 = f32x4.sub(d10, d12), b1 = f32x4.add(d11, d12), b2 = f32x4.sub(d12, d11), b3 = f32x4.sub(d11, d13);
  putRow(to + 4 * plane, plane, f32x4.add(b0, c0), f32x4.add(b1, c1), f32x4.add(b2, c2), f32x4.add(b3, c3));
  putRow(to + 8 * plane, plane, f32x4.sub(c0, b0), f32x4.sub(c1, b1), f32x4.sub(c2, b2), f32x4.sub(c3, b3));
  const e0 = f32x4.sub(d30, d32), e1 = f32x4.add(d31, d32), e2 = f32x4.sub(d32, d31), e3 = f32x4.sub(d31, d33);
  putRow(to + 12 * plane, plane, f32x4.sub(b0, e0), f32x4.sub(b1, e1), f32x4.sub(b2, e2), f32x4.sub(b3, e3));
}

// @ts-ignore: decorator
@inline
function putRow(to: usize, plane: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  v128.store(to, v0);
  v128.store(to + plane, v1);
  v128.store(to + 2 * plane, v2);
  v128.store(to + 3 * plane, v3);
}
