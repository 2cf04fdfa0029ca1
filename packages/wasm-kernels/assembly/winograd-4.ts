import { multiplyAdd } from './lanes';

// The transforms of F(4×4, 3×3): winograd-transforms.ts says what they are for. The products evaluate polynomials at 0, 1,
// −1, ½, −2 and ∞. The common points 0, ±1, ±2 and ∞ take two additions less per line, but lose more digits (Barabasz,
// Anderson, Soodhalter and Gregg 2020, "Error analysis and improving the accuracy of Winograd convolution").
//
//   Bᵀ = 1 −3⁄2   −2  3⁄2    1 0     G =      1      0      0     Aᵀ = 1 1  1  1  1 0
//        0   −1   ½  5⁄2    1 0            1⁄3    1⁄3    1⁄3          0 1 −1  ½ −2 0
//        0    1 −5⁄2   ½    1 0           −1⁄3    1⁄3   −1⁄3          0 1  1  ¼  4 0
//        0   −2   −1    2    1 0         −16⁄15 −8⁄15  −4⁄15          0 1 −1  ⅛ −8 1
//        0    ½   −1   −½    1 0           1⁄15 −2⁄15   4⁄15
//        0    1 −3⁄2   −2  3⁄2 1             0      0      1

// G g: a column, or a row, of a filter.
// @ts-ignore: decorator
@inline
export function filterLine4(g0: v128, g1: v128, g2: v128, to: usize, step: usize): void {
  const third = f32x4.splat(1 / 3), fifteenth = f32x4.splat(1 / 15), two = f32x4.splat(2), four = f32x4.splat(4);
  const sum = f32x4.add(g0, g2);
  v128.store(to, g0);
  v128.store(to + step, f32x4.mul(third, f32x4.add(sum, g1)));
  v128.store(to + 2 * step, f32x4.mul(third, f32x4.sub(g1, sum)));
  const small = f32x4.add(multiplyAdd(four, g0, f32x4.mul(two, g1)), g2);
  v128.store(to + 3 * step, f32x4.mul(f32x4.splat(-4 / 15), small));
  const large = f32x4.sub(multiplyAdd(four, g2, g0), f32x4.mul(two, g1));
  v128.store(to + 4 * step, f32x4.mul(fifteenth, large));
  v128.store(to + 5 * step, g2);
}

// Bᵀ d: a column, or a row, of six values.
// @ts-ignore: decorator
@inline
function inputLine(d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, to: usize, step: usize): void {
  const c = f32x4.splat(1.5);
  // All points but ½ and −2 are zeros of the polynomials of `high` and `low`, all but 0, 1, −1 and ∞ those of q0 … q3.
  const low = f32x4.sub(d3, d1), high = f32x4.sub(d4, d2);
  const q0 = multiplyAdd(c, d1, f32x4.sub(d2, d0)), q1 = multiplyAdd(c, d2, low);
  const q2 = multiplyAdd(c, d3, high), q3 = multiplyAdd(c, d4, f32x4.sub(d5, d3));
  v128.store(to, f32x4.sub(q2, q0));
  v128.store(to + step, f32x4.add(q2, q1));
  v128.store(to + 2 * step, f32x4.sub(q2, q1));
  v128.store(to + 3 * step, multiplyAdd(f32x4.splat(2), low, high));
  v128.store(to + 4 * step, multiplyAdd(f32x4.splat(-0.5), low, high));
  v128.store(to + 5 * step, f32x4.sub(q3, q1));
}

// A row of tiles, of the image rows r0 … r5.
export function transformRow4(
  r0: usize, r1: usize, r2: usize, r3: usize, r4: usize, r5: usize, left: i32, width: i32, channels: i32, tiles: i32,
  pass: usize, v: usize, plane: usize,
): void {
  const z = f32x4.splat(0);
  const pixel = (<usize>channels) << 2;
  for (let t = 0, column = left; t < tiles; t++, column += 4) {
    const at = (<usize>column) * pixel;
    let to = v + (<usize>t) * pixel;
    for (let c: usize = 0; c < pixel; c += 16, to += 16) {
      // Down the columns, then along the rows.
      let from = at + c;
      for (let j = 0; j < 6; j++, from += pixel) {
        const line = pass + ((<usize>j) << 4);
        if (<u32>(column + j) < <u32>width) {
          inputLine(
            v128.load(r0 + from), v128.load(r1 + from), v128.load(r2 + from),
            v128.load(r3 + from), v128.load(r4 + from), v128.load(r5 + from), line, 96,
          );
        } else {
          putSix(line, 96, z, z, z, z, z, z);
        }
      }
      for (let i = 0; i < 6; i++) {
        const line = pass + (<usize>i) * 96;
        inputLine(
          v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), v128.load(line, 64),
          v128.load(line, 80), to + (<usize>(6 * i)) * plane, plane,
        );
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function putSix(to: usize, step: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128): void {
  v128.store(to, v0);
  v128.store(to + step, v1);
  v128.store(to + 2 * step, v2);
  v128.store(to + 3 * step, v3);
  v128.store(to + 4 * step, v4);
  v128.store(to + 5 * step, v5);
}

// y = Aᵀ m A of one tile, of which only the outputs inside of the image are stored. Returns NaN if one is not finite.
export function putTile4(
  m: usize, plane: usize, pass: usize, to: usize, pixel: usize, rowBytes: usize, rows: i32, columns: i32,
): v128 {
  const z = f32x4.splat(0);
  const step = 6 * plane;
  for (let j = 0; j < 6; j++, m += plane) {
    const line = pass + ((<usize>j) << 4);
    const m0 = v128.load(m), m1 = v128.load(m + step), m2 = v128.load(m + 2 * step);
    const m3 = v128.load(m + 3 * step), m4 = v128.load(m + 4 * step), m5 = v128.load(m + 5 * step);
    const sum = f32x4.add(m1, m2), difference = f32x4.sub(m1, m2);
    v128.store(line, f32x4.add(f32x4.add(m0, sum), f32x4.add(m3, m4)));
    v128.store(line, outputLine1(difference, m3, m4), 96);
    v128.store(line, outputLine2(sum, m3, m4), 192);
    v128.store(line, f32x4.add(outputLine3(difference, m3, m4), m5), 288);
  }
  let check = z;
  for (let i = 0; i < rows; i++, to += rowBytes) {
    const line = pass + (<usize>i) * 96;
    const m0 = v128.load(line), m1 = v128.load(line, 16), m2 = v128.load(line, 32);
    const m3 = v128.load(line, 48), m4 = v128.load(line, 64), m5 = v128.load(line, 80);
    const sum = f32x4.add(m1, m2), difference = f32x4.sub(m1, m2);
    const y0 = f32x4.add(f32x4.add(m0, sum), f32x4.add(m3, m4));
    const y1 = outputLine1(difference, m3, m4);
    const y2 = outputLine2(sum, m3, m4);
    const y3 = f32x4.add(outputLine3(difference, m3, m4), m5);
    v128.store(to, y0);
    check = multiplyAdd(y0, z, check);
    if (columns > 1) {
      v128.store(to + pixel, y1);
      check = multiplyAdd(y1, z, check);
    }
    if (columns > 2) {
      v128.store(to + 2 * pixel, y2);
      check = multiplyAdd(y2, z, check);
    }
    if (columns > 3) {
      v128.store(to + 3 * pixel, y3);
      check = multiplyAdd(y3, z, check);
    }
  }
  return check;
}

// Rows 1, 2 and 3 of Aᵀ, without the point at infinity.
// @ts-ignore: decorator
@inline
function outputLine1(difference: v128, m3: v128, m4: v128): v128 {
  return multiplyAdd(f32x4.splat(0.5), m3, multiplyAdd(f32x4.splat(-2), m4, difference));
}

// @ts-ignore: decorator
@inline
function outputLine2(sum: v128, m3: v128, m4: v128): v128 {
  return multiplyAdd(f32x4.splat(0.25), m3, multiplyAdd(f32x4.splat(4), m4, sum));
}

// @ts-ignore: decorator
@inline
function outputLine3(difference: v128, m3: v128, m4: v128): v128 {
  return multiplyAdd(f32x4.splat(0.125), m3, multiplyAdd(f32x4.splat(-8), m4, difference));
}

// d = A dy Aᵀ of one tile, zeros outside of the image.
export function cotangentTile4(
  dy: usize, pixel: usize, rowBytes: usize, rows: i32, columns: i32, pass: usize, d: usize, plane: usize,
): void {
  const z = f32x4.splat(0);
  for (let j = 0; j < 4; j++, dy += pixel) {
    const line = pass + ((<usize>j) << 4);
    const isInside = j < columns;
    const y0 = isInside ? v128.load(dy) : z;
    const y1 = isInside && rows > 1 ? v128.load(dy + rowBytes) : z;
    const y2 = isInside && rows > 2 ? v128.load(dy + 2 * rowBytes) : z;
    const y3 = isInside && rows > 3 ? v128.load(dy + 3 * rowBytes) : z;
    cotangentLine(y0, y1, y2, y3, line, 64);
  }
  for (let i = 0; i < 6; i++) {
    const line = pass + ((<usize>i) << 6);
    const to = d + (<usize>(6 * i)) * plane;
    cotangentLine(v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), to, plane);
  }
}

// @ts-ignore: decorator
@inline
function cotangentLine(y0: v128, y1: v128, y2: v128, y3: v128, to: usize, step: usize): void {
  const even = f32x4.add(y0, y2), odd = f32x4.add(y1, y3);
  const quarter = f32x4.splat(0.25), four = f32x4.splat(4);
  const small = multiplyAdd(f32x4.splat(0.5), multiplyAdd(quarter, y3, y1), multiplyAdd(quarter, y2, y0));
  const large = multiplyAdd(f32x4.splat(-2), multiplyAdd(four, y3, y1), multiplyAdd(four, y2, y0));
  putSix(to, step, y0, f32x4.add(even, odd), f32x4.sub(even, odd), small, large, y3);
}

// Gᵀ m: a column, or a row, of a sum of products, to `to`, which may be `from`.
// @ts-ignore: decorator
@inline
export function sumLine4(from: usize, step: usize, to: usize, toStep: usize): void {
  const third = f32x4.splat(1 / 3);
  const m0 = v128.load(from), m1 = v128.load(from + step), m2 = v128.load(from + 2 * step);
  const m3 = v128.load(from + 3 * step), m4 = v128.load(from + 4 * step), m5 = v128.load(from + 5 * step);
  const even = f32x4.mul(third, f32x4.sub(m1, m2)), odd = f32x4.mul(third, f32x4.add(m1, m2));
  const small = f32x4.mul(f32x4.splat(-4 / 15), m3), large = f32x4.mul(f32x4.splat(1 / 15), m4);
  const four = f32x4.splat(4), two = f32x4.splat(2);
  v128.store(to, f32x4.add(f32x4.add(m0, even), multiplyAdd(four, small, large)));
  v128.store(to + toStep, multiplyAdd(two, f32x4.sub(small, large), odd));
  v128.store(to + 2 * toStep, f32x4.add(f32x4.add(m5, even), multiplyAdd(four, large, small)));
}
