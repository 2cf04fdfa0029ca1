import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { currentKernels } from '@localgrad/kernels';
import { relativeError } from '@localgrad/testing';
import { startWebGpu, type Tiling, type TilingChoice } from '@localgrad/webgpu-kernels';
import type { Tensor } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const geometry = { stride: 1, padding: 1 };
const [batch, side, input, output] = [2, 6, 5, 20];
const pixels = batch * side * side;
const sizes = [
  { kernel: 'conv2d', rows: pixels, columns: output, depth: 9 * input },
  { kernel: 'conv2dInputGradient', rows: pixels, columns: input, depth: 9 * output },
  { kernel: 'conv2dFilterGradient', rows: 9 * input, columns: output, depth: pixels },
];
const tilings: readonly Tiling[] = [
  { rows: 32, columns: 16, depth: 8, vectors: true, workgroups: 256 },
  { rows: 128, columns: 16, depth: 32, vectors: false, workgroups: 8 },
  { rows: 64, columns: 32, depth: 16, vectors: true, workgroups: 1024 },
];

/** Every kernel that is a product of matrices. */
async function results(): Promise<Float32Array[]> {
  const x = tf.randomNormal<tf.Rank.R4>([batch, side, side, input], 0, 1, 'float32', 1);
  const dy = tf.randomNormal<tf.Rank.R4>([batch, side, side, output], 0, 1, 'float32', 2);
  const filter = tf.randomNormal<tf.Rank.R4>([3, 3, input, output], 0, 1, 'float32', 3);
  const kernels = currentKernels();
  const statistics = kernels.conv2dStatistics?.(x, filter, geometry);
  const found: Tensor[] = [
    ...(statistics === undefined ? [] : [statistics.output, statistics.mean, statistics.variance]),
    kernels.conv2dInputGradient(dy, filter, x.shape, geometry),
    kernels.conv2dFilterGradient(x, dy, filter.shape, geometry),
  ];
  const values = await Promise.all(found.map(async (tensor) => Float32Array.from(await tensor.data())));
  tf.dispose([x, dy, filter, found]);
  return values;
}

describe.skipIf(process.env.LOCALGRAD_TEST_BACKEND !== 'webgpu')('products of matrices on webgpu', () => {
  let backend: BackendHandle | undefined;
  beforeAll(async () => {
    backend = await selectBackend('webgpu');
  }, 120_000);
  afterAll(() => backend?.dispose());

  it.each(tilings)(
    'have the same results in tiles of $rows × $columns × $depth',
    { timeout: 300_000 },
    async (tiling) => {
      const runtime = await startWebGpu();
      try {
        runtime.useTilings([]);
        const expected = await results();
        runtime.useTilings(sizes.map((size): TilingChoice => ({ ...size, tiling })));
        const found = await results();
        expected.forEach((values, index) => {
          expect(relativeError(found[index] ?? [], values)).toBeLessThan(1e-5);
        });
      } finally {
        runtime.useTilings();
        runtime.dispose();
      }
    },
  );
});
