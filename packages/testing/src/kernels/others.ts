import type { AdamUpdateRequest } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { KernelCase } from './kernel-case.js';
import { updatedTensors } from './updates.js';

const adamMoments = { first: [3, 3, 5, 7], second: [3, 3, 5, 7] };

/** Some weights are negative. */
const axisMap = [
  [1, 0.25, -0.5, 0.125],
  [0.5, 0.5, 0.25, 1],
  [0.25, 0.25, 0.25, 0.25],
  [-1, 0.75, 0.25, 2],
  [0.125, 0.25, 0.875, 0.5],
];

export const otherCases: KernelCase[] = [
  {
    kernel: 'accumulate',
    label: '3×5×7×3',
    inputs: { a: [3, 5, 7, 3], b: [3, 5, 7, 3] },
    consumes: ['a'],
    run: (kernels, { a, b }) => [kernels.accumulate(a as tf.Tensor, b as tf.Tensor)],
  },
  ...[false, true].flatMap((transposeA) =>
    [false, true].map(
      (transposeB): KernelCase => ({
        kernel: 'matMul',
        label: `${transposeA ? 'aᵀ' : 'a'}·${transposeB ? 'bᵀ' : 'b'}`,
        inputs: { a: transposeA ? [9, 5] : [5, 9], b: transposeB ? [11, 9] : [9, 11] },
        run: (kernels, { a, b }) => [kernels.matMul(a as tf.Tensor2D, b as tf.Tensor2D, transposeA, transposeB)],
      }),
    ),
  ),
  ...(['normal', 'negative', 'zero', 'tied'] as const).flatMap((kind) =>
    [0, 0.01].map(
      (slope): KernelCase => ({
        kernel: 'reluGradient',
        label: `3×5×7×3, ${kind}, slope ${slope}`,
        inputs: { dy: [3, 5, 7, 3], output: [3, 5, 7, 3] },
        values: { output: kind },
        run: (kernels, { dy, output }) => [kernels.reluGradient(dy as tf.Tensor4D, output as tf.Tensor4D, slope)],
      }),
    ),
  ),
  {
    kernel: 'globalAveragePool',
    label: '3×5×7×6',
    inputs: { x: [3, 5, 7, 6] },
    run: (kernels, { x }) => [kernels.globalAveragePool(x as tf.Tensor4D)],
  },
  {
    kernel: 'globalAveragePoolGradient',
    label: '3×5×7×6',
    inputs: { dy: [3, 6] },
    run: (kernels, { dy }) => [kernels.globalAveragePoolGradient(dy as tf.Tensor2D, [3, 5, 7, 6])],
  },
  ...[false, true].map(
    (transposed): KernelCase => ({
      kernel: 'mapAxis',
      label: transposed ? 'transposed' : 'plain',
      inputs: { x: [6, transposed ? 5 : 4, 21] },
      run: (kernels, { x }) => [kernels.mapAxis(x as tf.Tensor3D, axisMap, transposed)],
    }),
  ),
  ...[1, -0.25].map(
    (weight): KernelCase => ({
      kernel: 'binaryCrossEntropy',
      label: `weight ${weight}`,
      inputs: { logits: [3, 5, 7, 3], targets: [3, 5, 7, 3] },
      values: { targets: 'tied' },
      run: (kernels, { logits, targets }) =>
        Object.values(kernels.binaryCrossEntropy(logits as tf.Tensor4D, targets as tf.Tensor4D, weight)),
    }),
  ),
  ...[1, 0.25].map(
    (weight): KernelCase => ({
      kernel: 'softmaxCrossEntropy',
      label: `weight ${weight}`,
      inputs: { logits: [6, 10] },
      run: (kernels, { logits }) => {
        const labels = tf.tensor1d([0, 3, 9, 3, 1, 7], 'int32');
        return Object.values(kernels.softmaxCrossEntropy(logits as tf.Tensor2D, labels, weight));
      },
    }),
  ),
  ...[
    { first: true, momentum: 0.9, nesterov: true, weightDecay: 1e-2 },
    { first: false, momentum: 0.9, nesterov: true, weightDecay: 1e-2 },
    { first: false, momentum: 0.9, nesterov: false, weightDecay: 0 },
    { first: true, momentum: 0, nesterov: false, weightDecay: 0 },
    { first: false, momentum: 0, nesterov: false, weightDecay: 1e-2 },
  ].map(
    ({ first, ...rates }): KernelCase => ({
      kernel: 'sgdUpdateAll',
      label: `${first ? 'first step, ' : ''}${JSON.stringify(rates)}`,
      inputs: { value: [3, 3, 5, 7], gradient: [3, 3, 5, 7], ...(first ? {} : { velocity: [3, 3, 5, 7] }) },
      consumes: ['gradient', 'velocity'],
      run: (kernels, { value, gradient, velocity }) =>
        kernels
          .sgdUpdateAll([
            {
              value: value as tf.Tensor,
              gradient: gradient as tf.Tensor,
              velocity,
              learningRate: 0.1,
              ...rates,
            },
          ])
          .flatMap(updatedTensors),
    }),
  ),
  ...[
    { update: 1, weightDecay: 0, decoupled: false },
    { update: 1, weightDecay: 1e-2, decoupled: true },
    { update: 7, weightDecay: 1e-2, decoupled: false },
    { update: 7, weightDecay: 1e-2, decoupled: true },
  ].map(
    (rates): KernelCase => ({
      kernel: 'adamUpdateAll',
      label: JSON.stringify(rates),
      inputs: { value: [3, 3, 5, 7], gradient: [3, 3, 5, 7], ...(rates.update === 1 ? {} : adamMoments) },
      values: { second: 'squared' },
      consumes: ['gradient', 'first', 'second'],
      run: (kernels, { value, gradient, first, second }) => {
        const request: AdamUpdateRequest = {
          value: value as tf.Tensor,
          gradient: gradient as tf.Tensor,
          moments: first === undefined || second === undefined ? undefined : { first, second },
          learningRate: 0.01,
          betas: [0.9, 0.999],
          epsilon: 1e-8,
          ...rates,
        };
        return kernels.adamUpdateAll([request]).flatMap((update) => [update.value, update.first, update.second]);
      },
    }),
  ),
];
