import { at } from '@localgrad/core';
import type { AdamUpdateRequest, PoolingGeometry, Shape4, TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { createWasmTrainingKernels } from './index.js';

let runtime: WasmRuntime;
let kernels: TrainingKernels;

beforeAll(async () => {
  runtime = await startWasm({ threads: 2 });
  kernels = runtime.kernels;
});
afterAll(() => runtime.dispose());

const problems = fc
  .record({
    batch: fc.integer({ min: 1, max: 35 }),
    height: fc.integer({ min: 1, max: 9 }),
    width: fc.integer({ min: 1, max: 9 }),
    channels: fc.integer({ min: 1, max: 13 }),
    multiplier: fc.integer({ min: 1, max: 3 }),
    window: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.record({ top: border(), bottom: border(), left: border(), right: border() }),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .filter(({ height, width, window, padding }) => {
    const { top, bottom, left, right } = padding;
    const reaches = top < window[0] && bottom < window[0] && left < window[1] && right < window[1];
    return reaches && height + top + bottom >= window[0] && width + left + right >= window[1];
  });

function border(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 });
}

const normal = (shape: readonly number[], seed: number) =>
  tf.randomNormal<tf.Rank.R4>([...shape] as [number, number, number, number], 0, 1, 'float32', seed);

/** ⟨a, b⟩ in float64. */
function inner(a: tf.Tensor, b: tf.Tensor): number {
  const right = b.dataSync();
  return a.dataSync<'float32'>().reduce((sum, value, index) => sum + value * (right[index] ?? Number.NaN), 0);
}

function near(found: number, wanted: number, scale: number): void {
  expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-5 * Math.max(1, scale));
}

/** Runs a body inside tf.tidy, and checks that it leaks neither tensors nor heap bytes. */
function withoutLeak(body: () => void): void {
  const before = [tf.memory().numTensors, runtime.heap.usedBytes()];
  tf.tidy(body);
  expect([tf.memory().numTensors, runtime.heap.usedBytes()]).toEqual(before);
}

describe('laws of windows, for any shape', () => {
  it('⟨pool(x), dy⟩ = ⟨x, poolGradient(dy)⟩ for average and max pooling', () => {
    fc.assert(
      fc.property(problems, ({ batch, height, width, channels, seed, ...geometry }) => {
        withoutLeak(() => {
          const x = normal([batch, height, width, channels], seed);
          const means = kernels.averagePool(x, geometry);
          const largest = kernels.maxPool(x, geometry);
          const dy = normal(means.shape, seed + 1);
          const scale = inner(tf.abs(dy), tf.onesLike(dy));
          near(inner(x, kernels.averagePoolGradient(dy, x.shape, geometry)), inner(means, dy), scale);
          near(inner(x, kernels.maxPoolGradient(dy, x, geometry)), inner(largest, dy), scale);
        });
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('⟨depthwise(x, w), dy⟩ = ⟨x, inputGradient(dy, w)⟩ = ⟨w, filterGradient(x, dy)⟩', () => {
    fc.assert(
      fc.property(problems, ({ batch, height, width, channels, multiplier, window, seed, ...rest }) => {
        withoutLeak(() => {
          const geometry = { stride: rest.stride[0], padding: Math.max(...Object.values(rest.padding)) };
          const shape: Shape4 = [...window, channels, multiplier];
          const [x, w] = [normal([batch, height, width, channels], seed), normal(shape, seed + 1)];
          const y = kernels.depthwiseConv2d(x, w, geometry);
          const dy = normal(y.shape, seed + 2);
          const forward = inner(y, dy);
          const scale = inner(tf.abs(y), tf.abs(dy));
          near(inner(x, kernels.depthwiseConv2dInputGradient(dy, w, x.shape, geometry)), forward, scale);
          near(inner(w, kernels.depthwiseConv2dFilterGradient(x, dy, shape, geometry)), forward, scale);
        });
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('⟨grouped(x, w), dy⟩ = ⟨x, inputGradient(dy, w)⟩ = ⟨w, filterGradient(x, dy)⟩', () => {
    fc.assert(
      fc.property(problems, ({ batch, height, width, channels, multiplier: groups, window, seed, ...rest }) => {
        withoutLeak(() => {
          const geometry = { stride: rest.stride[0], padding: Math.max(...Object.values(rest.padding)) };
          const shape: Shape4 = [...window, channels, (1 + (seed % 6)) * groups];
          const [x, w] = [normal([batch, height, width, channels * groups], seed), normal(shape, seed + 1)];
          const y = kernels.groupedConv2d(x, w, groups, geometry);
          const dy = normal(y.shape, seed + 2);
          const forward = inner(y, dy);
          const scale = inner(tf.abs(y), tf.abs(dy));
          near(inner(x, kernels.groupedConv2dInputGradient(dy, w, groups, x.shape, geometry)), forward, scale);
          near(inner(w, kernels.groupedConv2dFilterGradient(x, dy, groups, shape, geometry)), forward, scale);
        });
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});

describe('the number of threads', () => {
  it('does not change pooling, depthwise and grouped convolution, group norm or updates, bit for bit', async () => {
    const other = await createWasmTrainingKernels(runtime.heap, { threads: 1, relaxedSimd: runtime.facts.relaxedSimd });
    const run = (k: TrainingKernels) => {
      const shape: Shape4 = [40, 12, 12, 8];
      const [x, dy] = [normal(shape, 1), normal(shape, 2)];
      const windows: PoolingGeometry = {
        window: [3, 3],
        stride: [1, 1],
        padding: { top: 1, bottom: 1, left: 1, right: 1 },
      };
      const geometry = { stride: 1, padding: 1 };
      const filter = normal([3, 3, 8, 1], 3);
      const parameters = {
        groups: 4,
        epsilon: 1e-5,
        scale: tf.ones<tf.Rank.R1>([8]),
        shift: tf.zeros<tf.Rank.R1>([8]),
      };
      const { output, ...statistics } = k.groupNorm(x, parameters);
      const rates = {
        learningRate: 0.1,
        betas: [0.9, 0.99] as const,
        epsilon: 1e-8,
        weightDecay: 0.1,
        decoupled: true,
      };
      const results: tf.Tensor[] = [
        k.maxPool(x, windows),
        k.maxPoolGradient(dy, x, windows),
        k.averagePool(x, windows),
        k.averagePoolGradient(dy, shape, windows),
        k.depthwiseConv2d(x, filter, geometry),
        k.depthwiseConv2dInputGradient(dy, filter, shape, geometry),
        k.depthwiseConv2dFilterGradient(x, dy, [3, 3, 8, 1], geometry),
        k.groupedConv2d(x, normal([3, 3, 2, 12], 8), 4, geometry),
        k.groupedConv2dInputGradient(normal([40, 12, 12, 12], 9), normal([3, 3, 2, 12], 8), 4, shape, geometry),
        k.groupedConv2dFilterGradient(x, normal([40, 12, 12, 12], 9), 4, [3, 3, 2, 12], geometry),
        output,
        statistics.mean,
        statistics.variance,
        ...Object.values(k.groupNormGradient({ dy: normal(shape, 4), x, statistics, parameters })),
        ...k
          .adamUpdateAll([
            { value: x, gradient: normal(shape, 5), moments: undefined, update: 1, ...rates },
            { value: filter, gradient: normal([3, 3, 8, 1], 6), moments: undefined, update: 3, ...rates },
          ])
          .flatMap(({ value, first, second }) => [value, first, second]),
        ...k
          .sgdUpdateAll(
            [x, filter].map((value, index) => ({
              value,
              gradient: normal(value.shape as Shape4, 7 + index),
              velocity: undefined,
              learningRate: 0.1,
              momentum: 0.9,
              nesterov: true,
              weightDecay: 1e-4,
            })),
          )
          .flatMap(({ value, velocity }) => [value, ...(velocity === undefined ? [] : [velocity])]),
        ...k.blendAll([
          { average: x, value: dy, kept: 0.9, added: 0.1 },
          { average: filter, value: filter, kept: 0.7, added: 0.3 },
        ]),
      ];
      return results.map((tensor) => Buffer.from(tensor.dataSync().slice().buffer));
    };
    withoutLeak(() => {
      const [two, one] = [run(kernels), run(other)];
      expect(two.map((bytes, index) => bytes.equals(one[index] ?? Buffer.alloc(0)))).not.toContain(false);
    });
    other.dispose();
  });
});

describe('consumed arguments of Adam', () => {
  it('are overwritten only if no other handle shares their buffer', () => {
    const shape = [2, 3, 3, 4];
    const rates = { learningRate: 0.1, betas: [0.9, 0.99] as const, epsilon: 1e-8, weightDecay: 0, decoupled: false };
    const tensors = [1, 2, 3, 4].map((seed) => normal(shape, seed));
    const held = tensors.map((tensor) => tensor.clone());
    const before = held.map((tensor) => tensor.dataSync().slice());
    const [value, gradient, first, second] = tensors as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const adamUpdate = (request: AdamUpdateRequest) => at(kernels.adamUpdateAll([request]), 0, 'update');
    const result = adamUpdate({ value, gradient, moments: { first, second }, update: 2, ...rates });
    expect(held.map((tensor) => tensor.dataSync())).toEqual(before);
    expect(tensors.map((tensor) => tensor.isDisposed)).toEqual([false, true, true, true]);
    const again = adamUpdate({
      value,
      gradient: normal(shape, 5),
      moments: { first: result.first, second: result.second },
      update: 3,
      ...rates,
    });
    expect(again.first).toBe(result.first);
    expect(again.second).toBe(result.second);
    tf.dispose([value, ...held, result.value, again.value, again.first, again.second]);
  });
});

describe('updates without weight decay', () => {
  it('keep the moments of infinite values finite, as in PyTorch', () => {
    const infinite = () => tf.fill([5], Number.POSITIVE_INFINITY);
    const gradient = () => tf.ones([5]);
    const moments = tf.tidy(() => [
      ...kernels
        .sgdUpdateAll([
          {
            ...{ value: infinite(), gradient: gradient(), velocity: undefined },
            ...{ learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0 },
          },
        ])
        .map(({ velocity }) => [...(velocity?.dataSync() ?? [])]),
      ...kernels
        .adamUpdateAll([
          {
            ...{ value: infinite(), gradient: gradient(), moments: undefined, update: 1, learningRate: 0.1 },
            ...{ betas: [0.5, 0.5] as const, epsilon: 1e-8, weightDecay: 0, decoupled: false },
          },
        ])
        .map(({ first }) => [...first.dataSync()]),
    ]);
    expect(moments).toEqual([new Array(5).fill(1), new Array(5).fill(0.5)]);
  });
});
