import { multiplyAdd } from './lanes';
import { packColumns, packRows } from './matrix-panels';
import { put } from './tile';

// Blocks of the inner dimension, of columns and of rows: a block of b (256 × 128) stays in the second-level cache, its tile of
// eight columns (8 KiB) in the first while the rows of a pass. src/kernels/matrix-product.ts reserves memory for them.
const DEPTH: i32 = 256;
const WIDTH: i32 = 128;
const HEIGHT: i32 = 128;

// c[i, j] = Σ a[i, k] · b[k, j] for the given rows and columns; transposed, a is [inner, rows] and b [columns, inner].
//
// Each sum runs over k in ascending order in one lane, whatever the blocks and the part: no split changes its bits.
export function matrixProduct(
  a: usize, b: usize, c: usize, panels: usize, firstRow: i32, lastRow: i32, firstColumn: i32, lastColumn: i32,
  rows: i32, inner: i32, columns: i32, transposeA: i32, transposeB: i32, panelBytes: i32, thread: i32,
): void {
  const packed = panels + (<usize>panelBytes) * (<usize>thread);
  for (let j = firstColumn; j < lastColumn; j += WIDTH) {
    const width = min(WIDTH, lastColumn - j);
    let k = 0;
    do {
      const depth = min(DEPTH, inner - k);
      packColumns(b, packed, k, depth, j, width, inner, columns, transposeB);
      for (let i = firstRow; i < lastRow; i += HEIGHT) {
        const height = min(HEIGHT, lastRow - i);
        let from = a + ((<usize>(i * inner + k)) << 2);
        let rowBytes = (<usize>inner) << 2;
        if (transposeA) {
          from = packed + ((<usize>(depth * ((width + 7) & -8))) << 2);
          rowBytes = (<usize>depth) << 2;
          packRows(a + ((<usize>(k * rows + i)) << 2), from, height, depth, (<usize>rows) << 2);
        }
        block(from, rowBytes, packed, c + ((<usize>(i * columns + j)) << 2), (<usize>columns) << 2, height, width, depth, k == 0);
      }
      k += DEPTH;
    } while (k < inner);
  }
}

// Products of the matrices firstMatrix … lastMatrix − 1 of a batch. A step is the distance between the matrices of a or b in bytes, 0 if
// there is only one.
export function matrixProducts(
  a: usize, b: usize, c: usize, panels: usize, firstMatrix: i32, lastMatrix: i32,
  rows: i32, inner: i32, columns: i32, transposeA: i32, transposeB: i32, aStep: usize, bStep: usize, panelBytes: i32, thread: i32,
): void {
  const cStep = (<usize>(rows * columns)) << 2;
  for (let index = <usize>firstMatrix; index < <usize>lastMatrix; index++) {
    matrixProduct(a + index * aStep, b + index * bStep, c + index * cStep, panels, 0, rows, 0, columns, rows, inner, columns, transposeA, transposeB, panelBytes, thread);
  }
}

// c[i, j] = Σ a[i, k] · b[k, j], or + c[i, j] unless `isFirst`, with b packed by `packColumns`. Rows of a and c are rowBytes and outBytes apart.
export function block(a: usize, rowBytes: usize, packed: usize, c: usize, outBytes: usize, height: i32, width: i32, depth: i32, isFirst: bool): void {
  for (let j = 0; j < width; j += 8) {
    const lanes = min(8, width - j);
    const target = c + ((<usize>j) << 2);
    for (let i = 0; i < height; i += 4) {
      tile(a + (<usize>i) * rowBytes, rowBytes, packed, target + (<usize>i) * outBytes, outBytes, min(4, height - i), depth, lanes, isFirst);
    }
    packed += (<usize>depth) << 5;
  }
}

// Four rows × eight columns. Where there are fewer rows, the last one is computed more than once. In V8, an unrolled loop and tiles of five
// or six rows take 1.4 to 2 times as long: they spill registers.
function tile(a: usize, rowBytes: usize, b: usize, c: usize, outBytes: usize, rows: i32, depth: i32, lanes: i32, isFirst: bool): void {
  let p0 = a;
  let p1 = rows > 1 ? p0 + rowBytes : p0;
  let p2 = rows > 2 ? p1 + rowBytes : p1;
  let p3 = rows > 3 ? p2 + rowBytes : p2;
  const c1 = rows > 1 ? c + outBytes : c;
  const c2 = rows > 2 ? c1 + outBytes : c1;
  const c3 = rows > 3 ? c2 + outBytes : c2;
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (!isFirst) {
    s00 = get(c, lanes); s01 = get(c + 16, lanes - 4);
    s10 = get(c1, lanes); s11 = get(c1 + 16, lanes - 4);
    s20 = get(c2, lanes); s21 = get(c2 + 16, lanes - 4);
    s30 = get(c3, lanes); s31 = get(c3 + 16, lanes - 4);
  }
  const stop = p0 + ((<usize>depth) << 2);
  while (p0 < stop) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let v = v128.load32_splat(p0);
    s00 = multiplyAdd(v, b0, s00); s01 = multiplyAdd(v, b1, s01);
    v = v128.load32_splat(p1);
    s10 = multiplyAdd(v, b0, s10); s11 = multiplyAdd(v, b1, s11);
    v = v128.load32_splat(p2);
    s20 = multiplyAdd(v, b0, s20); s21 = multiplyAdd(v, b1, s21);
    v = v128.load32_splat(p3);
    s30 = multiplyAdd(v, b0, s30); s31 = multiplyAdd(v, b1, s31);
    p0 += 4; p1 += 4; p2 += 4; p3 += 4;
    b += 32;
  }
  put(c, s00, s01, lanes);
  put(c1, s10, s11, lanes);
  put(c2, s20, s21, lanes);
  put(c3, s30, s31, lanes);
}

// The first `lanes` of four values; zeros beyond.
// @ts-ignore: decorator
@inline
function get(p: usize, lanes: i32): v128 {
  return lanes >= 4 ? v128.load(p) : getSome(p, lanes);
}

function getSome(p: usize, lanes: i32): v128 {
  let v = f32x4.splat(0);
  if (lanes > 0) v = v128.load_lane<f32>(p, v, 0);
  if (lanes > 1) v = v128.load_lane<f32>(p, v, 1, 4);
  if (lanes > 2) v = v128.load_lane<f32>(p, v, 2, 8);
  return v;
}
