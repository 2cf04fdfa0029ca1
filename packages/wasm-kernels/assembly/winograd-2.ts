import { multiplyAdd } from './lanes';

// The transforms of F(2×2, 3×3): winograd-transforms.ts says what they are for.
//
//   Bᵀ = 1  0 −1  0    G = 1   0   0     Aᵀ = 1 1  1  0
//        0  1  1  0        ½   ½   ½          0 1 −1 −1
//        0 −1  1  0        ½  −½   ½
//        0  1  0 −1        0   0   1

// G g: a column, or a row, of a filter.
// @ts-ignore: decorator
@inline
export function filterLine2(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  const half = f32x4.splat(0.5);
  const sum = f32x4.add(g0, g2);
  v128.store(to, g0);
  v128.store(to + step, f32x4.mul(half, f32x4.add(sum, g1)));
  v128.store(to + 2 * step, f32x4.mul(half, f32x4.sub(sum, g1)));
  v128.store(to + 3 * step, g2);
}

// A row of tiles, of the image rows r0 … r3.
export function transformRow2(
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

// y = Aᵀ m A of one tile, of which only the outputs inside of the image are stored. Returns NaN if one is not finite.
// @ts-ignore: decorator
@inline
export function putTile2(m: usize, plane: usize, to: usize, pixel: usize, rowBytes: usize, rows: i32, columns: i32): v128 {
  const z = f32x4.splat(0);
  // Sums down the columns, then along the rows.
  const m00 = v128.load(m), m01 = v128.load(m + plane), m02 = v128.load(m + 2 * plane), m03 = v128.load(m + 3 * plane);
  m += 4 * plane;
  const m10 = v128.load(m), m11 = v128.load(m + plane), m12 = v128.load(m + 2 * plane), m13 = v128.load(m + 3 * plane);
  m += 4 * plane;
  const m20 = v128.load(m), m21 = v128.load(m + plane), m22 = v128.load(m + 2 * plane), m23 = v128.load(m + 3 * plane);
  m += 4 * plane;
  const s0 = f32x4.add(f32x4.add(m00, m10), m20), t0 = f32x4.sub(m10, m20);
  const s1 = f32x4.add(f32x4.add(m01, m11), m21), t1 = f32x4.sub(m11, m21);
  const s2 = f32x4.add(f32x4.add(m02, m12), m22), t2 = f32x4.sub(m12, m22);
  const s3 = f32x4.add(f32x4.add(m03, m13), m23), t3 = f32x4.sub(m13, m23);
  const y00 = f32x4.add(f32x4.add(s0, s1), s2);
  v128.store(to, y00);
  let check = f32x4.mul(y00, z);
  if (columns > 1) {
    const y01 = f32x4.sub(f32x4.sub(s1, s2), s3);
    v128.store(to + pixel, y01);
    check = multiplyAdd(y01, z, check);
  }
  if (rows > 1) {
    const u0 = f32x4.sub(t0, v128.load(m)), u1 = f32x4.sub(t1, v128.load(m + plane));
    const u2 = f32x4.sub(t2, v128.load(m + 2 * plane)), u3 = f32x4.sub(t3, v128.load(m + 3 * plane));
    const y10 = f32x4.add(f32x4.add(u0, u1), u2);
    v128.store(to + rowBytes, y10);
    check = multiplyAdd(y10, z, check);
    if (columns > 1) {
      const y11 = f32x4.sub(f32x4.sub(u1, u2), u3);
      v128.store(to + rowBytes + pixel, y11);
      check = multiplyAdd(y11, z, check);
    }
  }
  return check;
}

// d = A dy Aᵀ of one tile, zeros outside of the image.
// @ts-ignore: decorator
@inline
export function cotangentTile2(
  dy: usize, pixel: usize, rowBytes: usize, rows: i32, columns: i32, d: usize, plane: usize,
): void {
  const z = f32x4.splat(0);
  const y00 = v128.load(dy);
  const y01 = columns > 1 ? v128.load(dy + pixel) : z;
  const y10 = rows > 1 ? v128.load(dy + rowBytes) : z;
  const y11 = rows > 1 && columns > 1 ? v128.load(dy + rowBytes + pixel) : z;
  cotangentLine(y00, y01, d, plane);
  cotangentLine(f32x4.add(y00, y10), f32x4.add(y01, y11), d + 4 * plane, plane);
  cotangentLine(f32x4.sub(y00, y10), f32x4.sub(y01, y11), d + 8 * plane, plane);
  cotangentLine(f32x4.neg(y10), f32x4.neg(y11), d + 12 * plane, plane);
}

// @ts-ignore: decorator
@inline
function cotangentLine(left: v128, right: v128, to: usize, step: usize): void {
  v128.store(to, left);
  v128.store(to + step, f32x4.add(left, right));
  v128.store(to + 2 * step, f32x4.sub(left, right));
  v128.store(to + 3 * step, f32x4.neg(right));
}

// Gᵀ m: a column, or a row, of a sum of products, to `to`, which may be `from`.
// @ts-ignore: decorator
@inline
export function sumLine2(from: usize, step: usize, to: usize, toStep: usize): void {
  const half = f32x4.splat(0.5);
  const m0 = v128.load(from), m1 = v128.load(from + step), m2 = v128.load(from + 2 * step), m3 = v128.load(from + 3 * step);
  const sum = f32x4.mul(half, f32x4.add(m1, m2));
  v128.store(to, f32x4.add(m0, sum));
  v128.store(to + toStep, f32x4.mul(half, f32x4.sub(m1, m2)));
  v128.store(to + 2 * toStep, f32x4.add(m3, sum));
}
