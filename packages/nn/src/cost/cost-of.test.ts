import { type Block, type Head, type Shape3, startOfTraining, trainingMode, type Want } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { relu } from '../blocks/activations.js';
import { conv2d } from '../blocks/conv2d.js';
import { dense } from '../blocks/dense.js';
import { basicBlock } from '../blocks/residual-blocks.js';
import { sequential } from '../blocks/sequential.js';
import { createClassifier } from '../heads/classifier.js';
import { heNormalFanOut } from '../random/initializers.js';
import { createScope } from '../random/scope.js';
import { tapeBlock } from '../tape/tape-block.js';
import { tapeHead } from '../tape/tape-head.js';
import { costOf, headCostOf } from './cost-of.js';
import { countMultiplyAccumulates } from './multiply-accumulates.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The same block without a declared cost. */
function silent(block: Block): Block {
  const { name, inputShape, outputShape, parameters, statistics } = block;
  return {
    name,
    inputShape,
    outputShape,
    parameters,
    statistics,
    forward: (x, mode) => block.forward(x, mode),
    vjp: (pass, dy, want) => block.vjp(pass, dy, want),
    replicate: (scope) => silent(block.replicate(scope)),
  };
}

const shape: Shape3 = [8, 8, 4];
const wants: Want[] = [true, false].flatMap((input) =>
  [true, false].map((release) => ({ input, parameters: true, release })),
);

describe('costOf', () => {
  it('returns the declared cost of a block', () => {
    const block = relu('relu', shape);
    expect(costOf(block)).toBe(block.cost);
  });

  it.each([
    ['convolution', () => conv2d({ name: 'c', scope: createScope(1), inputShape: shape, channels: 6, stride: 2 })],
    ['dense layer', () => dense({ name: 'd', scope: createScope(1), inputShape: [1, 1, 32], units: 16 })],
    ['activation', () => relu('relu', shape)],
  ] as const)('measures the declared residuals, outputs and multiply-accumulates of a %s', (_, create) => {
    const stated = costOf(create());
    const block = silent(create());
    const measured = costOf(block);
    expect(costOf(block)).toBe(measured);
    expect(measured.multiplyAccumulates).toBe(stated.multiplyAccumulates);
    for (const batchSize of [1, 16]) {
      expect(measured.residualBytes(batchSize)).toBe(stated.residualBytes(batchSize));
      const output = 4 * batchSize * block.outputShape.reduce((product, extent) => product * extent, 1);
      expect(measured.forwardPeakBytes(batchSize)).toBeGreaterThanOrEqual(output);
      for (const want of wants) {
        expect(measured.vjpPeakBytes(batchSize, want)).toBeGreaterThanOrEqual(
          stated.vjpPeakBytes(batchSize, want) - 4 * batchSize,
        );
      }
    }
  });

  it('measures inside composites, leaks no tensors, and restores statistics and kernels', () => {
    const block = silent(basicBlock({ name: 'b', scope: createScope(1), inputShape: shape, channels: 4, stride: 1 }));
    const composite = sequential('s', [block, relu('relu', shape)]);
    const kernels = currentKernels();
    const statistics = block.statistics.map(({ value }) => value);
    const before = tf.memory().numTensors;
    // Two 3×3 convolutions of 4 channels on 64 pixels.
    expect(costOf(composite).multiplyAccumulates).toBe(2 * 64 * 9 * 16);
    expect(costOf(composite).residualBytes(8)).toBeGreaterThan(0);
    expect(costOf(composite).vjpPeakBytes(8, { input: true, parameters: true, release: true })).toBeGreaterThan(0);
    expect(tf.memory().numTensors).toBe(before);
    expect(block.statistics.map(({ value }) => value)).toEqual(statistics);
    expect(currentKernels()).toBe(kernels);
  });

  it('measures a tape block', () => {
    const scope = createScope(1);
    const block = tapeBlock({
      name: 't',
      scope,
      inputShape: shape,
      outputShape: shape,
      parameters: [{ name: 'w', shape: [1, 1, 4, 4], initializer: heNormalFanOut }],
      fn: (x, [w]) => tf.relu(tf.conv2d(x, w as tf.Tensor4D, 1, 'same')),
    });
    const { multiplyAccumulates, residualBytes, forwardPeakBytes } = costOf(block);
    expect([multiplyAccumulates, residualBytes(3)]).toEqual([64 * 16, 0]);
    // Convolution and output.
    expect(forwardPeakBytes(3)).toBe(2 * 4 * 3 * 256);
  });
});

describe('headCostOf', () => {
  it('measures heads that read labels, close to their declared cost', () => {
    const stated = createClassifier({ scope: createScope(1), inputShape: shape, classes: 10 });
    const { cost: _, ...head } = stated;
    const [measured, wanted] = [headCostOf(head as Head), headCostOf(stated)];
    expect(measured.multiplyAccumulates).toBe(wanted.multiplyAccumulates);
    // The measurement includes temporaries of the reference kernels.
    const factor = measured.evaluatePeakBytes(64) / wanted.evaluatePeakBytes(64);
    expect(factor).toBeGreaterThan(0.95);
    expect(factor).toBeLessThan(2.5);
  });

  it('uses the targets created by the caller, and estimates from the input without them', () => {
    const head = tapeHead({
      name: 'mse',
      inputShape: shape,
      reads: ['images'],
      fn: (h, { images }) => tf.losses.meanSquaredError(images ?? [], h),
    });
    expect(headCostOf(head).evaluatePeakBytes(2)).toBe(8 * 4 * 2 * 256);
    const before = tf.memory().numTensors;
    const cost = headCostOf(head, (batchSize) => ({ images: tf.zeros([batchSize, ...shape]) as tf.Tensor4D }));
    expect(cost.evaluatePeakBytes(2)).toBeGreaterThan(4 * 2 * 256);
    expect(headCostOf(head)).toBe(cost);
    expect(tf.memory().numTensors).toBe(before);
    const request = { mode: trainingMode, weight: 1, input: true, clock: startOfTraining };
    expect(() => head.evaluate(tf.zeros([2, ...shape]), {}, request)).toThrow(/'images'/);
  });
});

it('countMultiplyAccumulates counts convolutions and matrix products', () => {
  const x = tf.zeros([2, 6, 6, 3]) as tf.Tensor4D;
  const count = (run: () => tf.Tensor) => countMultiplyAccumulates(() => tf.tidy(() => void run()));
  expect(count(() => tf.conv2d(x, tf.zeros([3, 3, 3, 5]) as tf.Tensor4D, 2, 'same'))).toBe(2 * 9 * 5 * 27);
  expect(count(() => tf.depthwiseConv2d(x, tf.zeros([3, 3, 3, 2]) as tf.Tensor4D, 1, 'same'))).toBe(2 * 36 * 6 * 9);
  expect(count(() => tf.conv2dTranspose(x, tf.zeros([2, 2, 5, 3]) as tf.Tensor4D, [2, 12, 12, 5], 2, 'same'))).toBe(
    2 * 36 * 3 * 20,
  );
  expect(count(() => tf.matMul(tf.zeros([4, 7]), tf.zeros([4, 5]), true))).toBe(7 * 4 * 5);
  expect(count(() => tf.relu(x))).toBe(0);
  expect(() => count(() => tf.conv2d(x, tf.zeros([3, 3, 4, 5]) as tf.Tensor4D, 1, 'same'))).toThrow();
  expect(count(() => tf.matMul(tf.zeros([4, 7]), tf.zeros([7, 5])))).toBe(4 * 7 * 5);
});
