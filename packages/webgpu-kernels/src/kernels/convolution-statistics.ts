import { get } from '@localgrad/core';
import type { ConvolutionGeometry, MovedStatistics, RunningStatistics } from '@localgrad/kernels';
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import { addShares } from '../add-shares.js';
import type { WebGpuBackend } from '../program.js';
import { runProgramMany } from '../program-many.js';
import { convolutionProduct } from './convolution.js';
import { type Epilogue, tiledProgram } from './matrix-product.js';
import { runningUpdate } from './running-statistics.js';
import { type Tiling, tilingOf } from './tiling.js';

/** WGSL: adds up `partial`, four columns' shares of an invocation, over the rows of a tile; the first invocations get totals. */
const columnTotals = ({ rows, columns }: Tiling) => `
  for (var j = 0; j < 4; j++) { columnShares[(threadRow / 4) * ${columns} + threadColumn + j] = partial[j]; }
  workgroupBarrier();
  if (local < ${columns}) {
    total = 0.0;
    for (var i = 0; i < ${rows / 4}; i++) { total += columnShares[i * ${columns} + local]; }
  }
  workgroupBarrier();`;

/**
 * WGSL: each tile's sum by column, and the sum of its squared differences from the tile's own mean, so that a mean far from
 * 0 costs no digits.
 */
function tileStatistics(tiling: Tiling): Epilogue {
  const { rows, columns } = tiling;
  return {
    name: ' statistics',
    declarations: `
      var<workgroup> columnShares : array<f32, ${(rows / 4) * columns}>;
      var<workgroup> columnMeans : array<f32, ${columns}>;`,
    body: `
      let count = f32(min(${rows}, uniforms.rows - rowBase));
      var total = 0.0;
      var partial = vec4<f32>(0.0);
      for (var i = 0; i < 4; i++) { if (rowBase + threadRow + i < uniforms.rows) { partial += sums[i]; } }
      ${columnTotals(tiling)}
      let place = (rowBase / ${rows}) * uniforms.columns + columnBase + local;
      let isStored = local < ${columns} && columnBase + local < uniforms.columns && part < uniforms.parts;
      if (local < ${columns}) { columnMeans[local] = total / count; }
      if (isStored) { tileSums[place] = total; }
      workgroupBarrier();
      let means = vec4<f32>(columnMeans[threadColumn], columnMeans[threadColumn + 1], columnMeans[threadColumn + 2], columnMeans[threadColumn + 3]);
      partial = vec4<f32>(0.0);
      for (var i = 0; i < 4; i++) {
        let difference = sums[i] - means;
        if (rowBase + threadRow + i < uniforms.rows) { partial += difference * difference; }
      }
      ${columnTotals(tiling)}
      if (isStored) { tileSums[rowTiles * uniforms.columns + place] = total; }`,
  };
}

/** Convolution whose last step also takes the statistics of its output; a second pass puts the tiles' together. */
export function conv2dStatistics(
  backend: WebGpuBackend,
  x: Tensor4D,
  filter: Tensor4D,
  geometry: ConvolutionGeometry,
  running?: RunningStatistics,
): MovedStatistics & { readonly output: Tensor4D } {
  const product = convolutionProduct(x, filter, geometry);
  const { outputShape, rows, columns } = product;
  const tiling = tilingOf(backend, product);
  const { parts: _, ...program } = tiledProgram(product, tiling, tileStatistics(tiling));
  const tiles = Math.ceil(rows / tiling.rows);
  const found = runProgramMany(backend, {
    ...program,
    outputs: { result: outputShape, tileSums: [2, tiles, columns] },
  });
  const results = new Map(Object.entries(found));
  const tileSums = get(results, 'tileSums', 'result');
  const moving = runningUpdate(backend, running, rows);
  const vector = [columns];
  const moved = new Map(
    Object.entries(
      runProgramMany(backend, {
        key: `conv2dStatistics ${tiling.rows} ${moving.key}`,
        inputs: { tileSums, ...moving.inputs },
        outputs: { mean: vector, variance: vector, ...moving.outputs },
        changed: moving.changed,
        integers: { rows, tiles, channels: columns },
        numbers: moving.numbers,
        workgroups: columns,
        declarations: 'var<workgroup> shares : array<f32, 64>;',
        body: putTogether(tiling.rows, moving.body),
      }),
    ),
  );
  tileSums.dispose();
  const take = (name: string) => get(moved, name, 'result') as Tensor1D;
  const output = get(results, 'result', 'result') as Tensor4D;
  return { output, mean: take('mean'), variance: take('variance'), ...moving.take(moved) };
}

/** WGSL, a workgroup for each channel. A tile's differences from the whole mean: those from its own, and that one's. */
function putTogether(tileRows: number, moveRunning: string): string {
  return `
    let channel = min(group, uniforms.channels - 1);
    var share = 0.0;
    for (var tile = local; tile < uniforms.tiles; tile += 64) { share += tileSums[tile * uniforms.channels + channel]; }
    ${addShares()}
    let batchMean = shares[0] / f32(uniforms.rows);
    workgroupBarrier();
    share = 0.0;
    for (var tile = local; tile < uniforms.tiles; tile += 64) {
      let count = f32(min(${tileRows}, uniforms.rows - tile * ${tileRows}));
      let at = tile * uniforms.channels + channel;
      let difference = tileSums[at] / count - batchMean;
      share += tileSums[uniforms.tiles * uniforms.channels + at] + count * difference * difference;
    }
    ${addShares()}
    if (local == 0 && group < uniforms.channels) {
      let batchVariance = shares[0] / f32(uniforms.rows);
      mean[channel] = batchMean;
      variance[channel] = batchVariance;
      ${moveRunning}
    }`;
}
