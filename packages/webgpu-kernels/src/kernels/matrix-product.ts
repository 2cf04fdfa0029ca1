import type { Tensor } from '@tensorflow/tfjs';
import { type ProgramRequest, runElementwise, runProgram, type WebGpuBackend } from '../program.js';
import { type Tiling, tilingOf } from './tiling.js';

export interface TiledProduct {
  readonly key: string;
  readonly inputs: ProgramRequest['inputs'];
  readonly outputShape: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly integers: Readonly<Record<string, number>>;
  readonly numbers?: Readonly<Record<string, number>>;
  /** Along what A lies contiguously in memory. */
  readonly contiguousA: 'row' | 'depth';
  readonly contiguousB: 'depth' | 'column';
  /**
   * WGSL: `rowOf(row) -> vec4<i32>` and `depthOf(k) -> vec4<i32>` (computed once per tile), `readA(row, k) -> f32` of their
   * results, and `readB(k, column) -> f32` of two indices.
   */
  readonly access: string;
  /** Whether the depth may be split over workgroups. */
  readonly splits: boolean;
  /** WGSL: the result at a place, from the product's value there. Not with `splits`. */
  readonly finish?: (value: string, at: string) => string;
}

/**
 * The product of rows × depth and depth × columns, both read through functions, so that convolutions need no unfolded images.
 * Tiles are in workgroup memory, each invocation computes 4×4 results, and for long depths (filter gradients) a second pass
 * adds up partial products.
 */
export function tiledProduct<Result extends Tensor>(backend: WebGpuBackend, product: TiledProduct): Result {
  const { outputShape } = product;
  const { parts, ...program } = tiledProgram(product, tilingOf(backend, product));
  const result = runProgram<Tensor>(backend, {
    ...program,
    outputShape: parts === 1 ? outputShape : [parts, ...outputShape],
  });
  if (parts === 1) return result as Result;
  return sumOfParts<Result>(backend, result, parts, outputShape);
}

/**
 * The shader of a product, whose result it calls `result`.
 *
 * @param epilogue WGSL: runs in all invocations of a workgroup after they have stored their results `sums`
 */
export function tiledProgram(
  product: TiledProduct,
  tiling: Tiling,
  epilogue: Epilogue = { name: '', declarations: '', body: '' },
) {
  const { key, inputs, rows, columns, depth, access, numbers = {} } = product;
  const threads = (tiling.rows / 4) * (tiling.columns / 4);
  const tiles = Math.ceil(rows / tiling.rows) * Math.ceil(columns / tiling.columns);
  const depthTiles = Math.ceil(depth / tiling.depth);
  const wanted = product.splits ? Math.min(depthTiles, Math.max(1, Math.floor(tiling.workgroups / tiles))) : 1;
  const steps = Math.ceil(depthTiles / wanted);
  const parts = Math.ceil(depthTiles / steps);
  return {
    key: `${key} ${nameOf(tiling)}${epilogue.name}`,
    inputs,
    integers: { rows, columns, depth, steps, parts, ...product.integers },
    numbers,
    threads,
    parts,
    workgroups: tiles * parts,
    declarations: `
      var<workgroup> tileA : array<array<f32, ${tiling.rows}>, ${tiling.depth}>;
      var<workgroup> tileB : ${tiling.vectors ? `array<array<vec4<f32>, ${tiling.columns / 4}>, ${tiling.depth}>` : `array<array<f32, ${tiling.columns}>, ${tiling.depth}>`};
      var<workgroup> rowInfo : array<vec4<i32>, ${tiling.rows}>;
      var<workgroup> depthInfo : array<vec4<i32>, ${tiling.depth}>;
      ${access}${elementOfB}${epilogue.declarations}`,
    body: `${body(threads, tiling, product)}${epilogue.body}`,
  };
}

export interface Epilogue {
  readonly name: string;
  readonly declarations: string;
  readonly body: string;
}

/** WGSL: an element of B, 0 outside of it. */
const elementOfB = `
  fn elementOfB(k : i32, column : i32) -> f32 {
    if (k >= uniforms.depth || column >= uniforms.columns) { return 0.0; }
    return readB(k, column);
  }`;

function nameOf({ rows, columns, depth, vectors }: Tiling): string {
  return `${rows}x${columns}x${depth}${vectors ? ' vectors' : ''}`;
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

function body(threads: number, { rows, columns, depth, vectors }: Tiling, product: TiledProduct): string {
  const { contiguousA, contiguousB, finish = (value: string) => value } = product;
  const place = (contiguous: boolean, inner: number, outer: number) =>
    contiguous ? [`i % ${inner}`, `i / ${inner}`] : [`i / ${outer}`, `i % ${outer}`];
  const [rowA, depthA] = place(contiguousA === 'row', rows, depth);
  const width = vectors ? columns / 4 : columns;
  const [columnB, depthB] = place(contiguousB === 'column', width, depth);
  const element = (column: string) => `elementOfB(depthBase + k, columnBase + ${column})`;
  const valueB = vectors
    ? `vec4<f32>(${[0, 1, 2, 3].map((part) => element(`4 * column + ${part}`)).join(', ')})`
    : element('column');
  const readB = vectors
    ? 'tileB[k][threadColumn / 4]'
    : `vec4<f32>(${[0, 1, 2, 3].map((part) => `tileB[k][threadColumn + ${part}]`).join(', ')})`;
  return `
    let rowTiles = (uniforms.rows + ${rows - 1}) / ${rows};
    let columnTiles = (uniforms.columns + ${columns - 1}) / ${columns};
    let columnBase = (group % columnTiles) * ${columns};
    let rowBase = ((group / columnTiles) % rowTiles) * ${rows};
    let part = group / (columnTiles * rowTiles);
    let threadRow = (local / ${columns / 4}) * 4;
    let threadColumn = (local % ${columns / 4}) * 4;
    for (var i = local; i < ${rows}; i += ${threads}) { rowInfo[i] = rowOf(rowBase + i); }
    var sums : array<vec4<f32>, 4>;
    for (var step = 0; step < uniforms.steps; step++) {
      let depthBase = (part * uniforms.steps + step) * ${depth};
      if (local < ${depth}) { depthInfo[local] = depthOf(depthBase + local); }
      workgroupBarrier();
      for (var i = local; i < ${rows * depth}; i += ${threads}) {
        let row = ${rowA};
        let k = ${depthA};
        var value = 0.0;
        if (rowBase + row < uniforms.rows && depthBase + k < uniforms.depth) { value = readA(rowInfo[row], depthInfo[k]); }
        tileA[k][row] = value;
      }
      for (var i = local; i < ${width * depth}; i += ${threads}) {
        let column = ${columnB};
        let k = ${depthB};
        tileB[k][column] = ${valueB};
      }
      workgroupBarrier();
      for (var k = 0; k < ${depth}; k++) {
        let b = ${readB};
        for (var i = 0; i < 4; i++) { sums[i] = fma(vec4<f32>(tileA[k][threadRow + i]), b, sums[i]); }
      }
    }
    if (part < uniforms.parts) {
      for (var i = 0; i < 4; i++) {
        let row = rowBase + threadRow + i;
        for (var j = 0; j < 4; j++) {
          let column = columnBase + threadColumn + j;
          if (row < uniforms.rows && column < uniforms.columns) {
            let at = (part * uniforms.rows + row) * uniforms.columns + column;
            result[at] = ${finish('sums[i][j]', 'at')};
          }
        }
      }
    }`;
}
