import { type BatchNormGradient, convolutionMeasures, type Normalization, type Shape4 } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { useVariants } from './variants.fixture.js';

const variants = useVariants();

const normal = (shape: readonly number[], seed: number) =>
  tf.randomNormal<tf.Rank.R4>([...shape] as [number, number, number, number], 0, 1, 'float32', seed);
const bits = (tensor: tf.Tensor) => [...new Uint32Array(tensor.dataSync<'float32'>().slice().buffer)];

/** 3×3 filters in large and small tiles and by the definition, other filters, pieces of one image and of several. */
const shapes = [
  { shape: [64, 8, 8, 16], window: [3, 3], padding: 1 },
  { shape: [5, 9, 7, 8], window: [3, 3], padding: 1 },
  { shape: [70, 4, 4, 8], window: [3, 3], padding: 1 },
  { shape: [37, 6, 5, 5], window: [3, 3], padding: 1 },
  { shape: [3, 40, 44, 40], window: [3, 3], padding: 1 },
  { shape: [7, 6, 9, 12], window: [1, 5], padding: [0, 2] },
  { shape: [9, 5, 5, 7], window: [1, 1], padding: 0 },
] as const;

describe.each(['one', 'three', 'fusedOne', 'fusedThree'] as const)('kernels that save a map, %s', (variant) => {
  it.each(shapes)('write the input gradient over its cotangent, with the same bits: %o', (row) => {
    const kernels = variants()[variant];
    tf.tidy(() => {
      const [dy, filter] = [normal(row.shape, 1), normal([...row.window, row.shape[3], row.shape[3]], 2)];
      const geometry = { stride: 1, padding: row.padding };
      const expected = kernels.conv2dInputGradient(dy, filter, row.shape, geometry);
      const shared = dy.clone();
      const apart = kernels.conv2dInputGradientInPlace?.(shared, filter, geometry) as tf.Tensor4D;
      expect([shared.isDisposed, apart.dataId === dy.dataId]).toEqual([true, false]);
      expect(bits(apart)).toEqual(bits(expected));
      const before = variants().heap.usedBytes();
      const found = kernels.conv2dInputGradientInPlace?.(dy, filter, geometry) as tf.Tensor4D;
      expect([found.dataId === dy.dataId, variants().heap.usedBytes()]).toEqual([true, before]);
      expect(bits(found)).toEqual(bits(expected));
    });
  });

  it.each(shapes)('activate a few images at a time for the filter gradient, with the same bits: %o', (row) => {
    const kernels = variants()[variant];
    tf.tidy(() => {
      const channels = row.shape[3];
      const filterShape: Shape4 = [...row.window, channels, 8];
      const geometry = { stride: row.window[0] === 3 ? 2 : 1, padding: row.padding };
      for (const one of [geometry, { ...geometry, stride: 1 }]) {
        const { outHeight, outWidth } = convolutionMeasures(row.shape, filterShape, one);
        const [x, dy] = [normal(row.shape, 1), normal([row.shape[0], outHeight, outWidth, 8], 2)];
        const norm = normalizationOf(channels);
        const activation = kernels.batchNormApply(x, norm, undefined, true);
        const expected = kernels.conv2dFilterGradient(activation, dy, filterShape, one);
        const found = kernels.conv2dActivatedFilterGradient?.(x, norm, dy, filterShape, one) as tf.Tensor4D;
        expect(bits(found)).toEqual(bits(expected));
      }
    });
  });

  it('recompute images with values that are not finite by the definition, each from its own cotangent', () => {
    const kernels = variants()[variant];
    tf.tidy(() => {
      const shape = [64, 8, 8, 16] as const;
      const values = normal(shape, 1).dataSync<'float32'>();
      values[5000] = Number.NEGATIVE_INFINITY;
      values[40_000] = Number.NaN;
      const [dy, filter] = [tf.tensor4d(values, [...shape]), normal([3, 3, 16, 16], 2)];
      const geometry = { stride: 1, padding: 1 };
      const expected = kernels.conv2dInputGradient(dy, filter, shape, geometry).dataSync();
      const found = kernels.conv2dInputGradientInPlace?.(dy, filter, geometry).dataSync() as Float32Array;
      const special = (value: number) => (Number.isFinite(value) ? 0 : value);
      expect([...found].map(special)).toEqual([...expected].map(special));
      const differences = found.map((value, index) => (Number.isFinite(value) ? value - (expected[index] ?? 0) : 0));
      expect(Math.max(...differences.map(Math.abs))).toBeLessThan(1e-3);
    });
  });

  it.each([
    { shape: [6, 8, 8, 16], window: [4, 4] },
    { shape: [33, 12, 10, 7], window: [3, 2] },
    { shape: [70, 4, 4, 12], window: [4, 4] },
  ])('spread the cotangents of means while batch norm reads them: %o', ({ shape, window }) => {
    const kernels = variants()[variant];
    const [batch, height, width, channels] = shape as [number, number, number, number];
    const [down, right] = window as [number, number];
    tf.tidy(() => {
      const geometry = {
        window: [down, right] as const,
        stride: [down, right] as const,
        padding: { top: 0, bottom: 0, left: 0, right: 0 },
      };
      const [x, output] = [normal(shape, 1), normal(shape, 2)];
      const { mean, variance } = kernels.batchStatistics(x);
      const norm = { ...normalizationOf(channels), mean, variance };
      for (const mask of ['none', 'recompute', output] as const) {
        const means = () => normal([batch, height / down, width / right, channels], 3);
        const dy = kernels.averagePoolGradient(means(), [batch, height, width, channels], geometry);
        const rest = { x, normalization: norm, mask };
        const expected = kernels.batchNormGradient({ ...rest, dy, overwriteInput: false, wantMasked: false });
        const found = kernels.pooledBatchNormGradient?.({ ...rest, dy: means(), overwriteInput: false });
        expect(bitsOf(found)).toEqual(bitsOf(expected));
        const copy = tf.tensor4d(x.dataSync(), [batch, height, width, channels]);
        const over = kernels.pooledBatchNormGradient?.({ ...rest, x: copy, dy: means(), overwriteInput: true });
        expect(over?.dx.dataId === copy.dataId).toBe(true);
        expect(bitsOf(over)).toEqual(bitsOf(expected));
      }
    });
  });
});

it('takes batches of more pieces than the threads receive at once', () => {
  tf.tidy(() => {
    // One image is a piece.
    const shape = [258, 64, 65, 8] as const;
    const [dy, filter] = [normal(shape, 1), normal([1, 1, 8, 8], 2)];
    const expected = variants().one.conv2dInputGradient(dy, filter, shape, { stride: 1, padding: 0 }).dataSync();
    const found = variants().one.conv2dInputGradientInPlace?.(dy, filter, { stride: 1, padding: 0 }).dataSync();
    expect(found?.every((value, index) => value === expected[index])).toBe(true);
  });
});

function normalizationOf(channels: number): Normalization {
  const vector = (seed: number) => tf.randomNormal<tf.Rank.R1>([channels], 0, 1, 'float32', seed);
  return { mean: vector(4), variance: tf.square(vector(5)), epsilon: 0.1, scale: vector(6), shift: vector(7) };
}

function bitsOf(gradient: BatchNormGradient | undefined): number[][] {
  return [gradient?.dx, gradient?.dScale, gradient?.dShift].map((tensor) => bits(tensor as tf.Tensor));
}
