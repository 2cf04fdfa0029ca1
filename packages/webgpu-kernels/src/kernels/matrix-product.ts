import type { Tensor } from '@tensorflow/tfjs';
import { type ProgramRequest, runElementwise, runProgram, type WebGpuBackend } from '../program.js';

/** Rows and depth of a tile; each invocation computes 4×4 results. */
const tileRows = 64;
const tileDepth = 16;

/** Number of workgroups below which a long depth is split, to use more of the GPU. */
const enoughWorkgroups = 256;

export interface TiledProduct {
  readonly key: string;
  readonly inputs: ProgramRequest['inputs'];
  readonly outputShape: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly integers: Readonly<Record<string, number>>;
  /** The dimension along which A is contiguous in memory. */
  readonly contiguousA: 'row' | 'depth';
  readonly contiguousB: 'depth' | 'column';
  /**
   * WGSL: `rowOf(row) -> vec4<i32>` and `depthOf(k) -> vec4<i32>` (computed once per tile), `readA(row, k) -> f32` of their
   * results, and `readB(k, column) -> f32` of two indices.
   */
  readonly access: string;
  /** Whether the depth may be split over workgroups. */
  readonly splits: boolean;
}

/**
 * The product of rows × depth and depth × columns, both read through functions, so that convolutions need no unfolded images.
 * Tiles are in workgroup memory, each invocation computes 4×4 results, and for long depths (filter gradients) a second pass
 * adds up partial products.
 */
export function tiledProduct<Result extends Tensor>(backend: WebGpuBackend, product: TiledProduct): Result {
  const { key, inputs, outputShape, rows, columns, depth, access, contiguousA, contiguousB } = product;
  const tileColumns = columns <= 16 ? 16 : columns <= 32 ? 32 : 64;
  const threads = (tileRows / 4) * (tileColumns / 4);
  const tiles = Math.ceil(rows / tileRows) * Math.ceil(columns / tileColumns);
  const depthTiles = Math.ceil(depth / tileDepth);
  const wanted = product.splits ? Math.min(depthTiles, Math.max(1, Math.floor(enoughWorkgroups / tiles))) : 1;
  const steps = Math.ceil(depthTiles / wanted);
  const parts = Math.ceil(depthTiles / steps);
  const result = runProgram<Tensor>(backend, {
    key: `${key} ${tileColumns}`,
    inputs,
    outputShape: parts === 1 ? outputShape : [parts, ...outputShape],
    integers: { rows, columns, depth, steps, parts, ...product.integers },
    threads,
    workgroups: tiles * parts,
    declarations: `
      var<workgroup> tileA : array<array<f32, ${tileRows}>, ${tileDepth}>;
      var<workgroup> tileB : array<array<f32, ${tileColumns}>, ${tileDepth}>;
      var<workgroup> rowInfo : array<vec4<i32>, ${tileRows}>;
      var<workgroup> depthInfo : array<vec4<i32>, ${tileDepth}>;
      ${access}`,
    body: body(threads, tileColumns, contiguousA, contiguousB),
  });
  if (parts === 1) return result as Result;
  return sumOfParts<Result>(backend, result, parts, outputShape);
}

/** Adds up `parts` consecutive arrays. Consumes them. */
export function sumOfParts<Result extends Tensor>(
  backend: WebGpuBackend,
  partial: Tensor,
  parts: number,
  outputShape: readonly number[],
): Result {
  const total = runElementwise<Result>(backend, {
    key: 'sum of parts',
    inputs: { products: partial },
    outputShape,
    integers: { parts },
    body: `
      var total = 0.0;
      for (var part = 0; part < uniforms.parts; part++) { total += products[part * uniforms.elements + index]; }
      result[index] = total;`,
  });
  partial.dispose();
  return total;
}

function body(threads: number, tileColumns: number, contiguousA: string, contiguousB: string): string {
  const place = (contiguous: boolean, inner: number, outer: number) =>
    contiguous ? [`i % ${inner}`, `i / ${inner}`] : [`i / ${outer}`, `i % ${outer}`];
  const [rowA, depthA] = place(contiguousA === 'row', tileRows, tileDepth);
  const [columnB, depthB] = place(contiguousB === 'column', tileColumns, tileDepth);
  return `
    let rowTiles = (uniforms.rows + ${tileRows - 1}) / ${tileRows};
    let columnTiles = (uniforms.columns + ${tileColumns - 1}) / ${tileColumns};
    let columnBase = (group % columnTiles) * ${tileColumns};
    let rowBase = ((group / columnTiles) % rowTiles) * ${tileRows};
    let part = group / (columnTiles * rowTiles);
    let threadRow = (local / ${tileColumns / 4}) * 4;
    let threadColumn = (local % ${tileColumns / 4}) * 4;
    for (var i = local; i < ${tileRows}; i += ${threads}) { rowInfo[i] = rowOf(rowBase + i); }
    var sums : array<vec4<f32>, 4>;
    for (var step = 0; step < uniforms.steps; step++) {
      let depthBase = (part * uniforms.steps + step) * ${tileDepth};
      if (local < ${tileDepth}) { depthInfo[local] = depthOf(depthBase + local); }
      workgroupBarrier();
      for (var i = local; i < ${tileRows * tileDepth}; i += ${threads}) {
        let row = ${rowA};
        let k = ${depthA};
        var value = 0.0;
        if (rowBase + row < uniforms.rows && depthBase + k < uniforms.depth) { value = readA(rowInfo[row], depthInfo[k]); }
        tileA[k][row] = value;
      }
      for (var i = local; i < ${tileColumns * tileDepth}; i += ${threads}) {
        let column = ${columnB};
        let k = ${depthB};
        var value = 0.0;
        if (columnBase + column < uniforms.columns && depthBase + k < uniforms.depth) {
          value = readB(depthBase + k, columnBase + column);
        }
        tileB[k][column] = value;
      }
      workgroupBarrier();
      for (var k = 0; k < ${tileDepth}; k++) {
        let b = vec4<f32>(tileB[k][threadColumn], tileB[k][threadColumn + 1], tileB[k][threadColumn + 2], tileB[k][threadColumn + 3]);
        for (var i = 0; i < 4; i++) { sums[i] = fma(vec4<f32>(tileA[k][threadRow + i]), b, sums[i]); }
      }
    }
    if (part < uniforms.parts) {
      for (var i = 0; i < 4; i++) {
        let row = rowBase + threadRow + i;
        for (var j = 0; j < 4; j++) {
          let column = columnBase + threadColumn + j;
          if (row < uniforms.rows && column < uniforms.columns) {
            result[(part * uniforms.rows + row) * uniforms.columns + column] = sums[i][j];
          }
        }
      }
    }`;
}
