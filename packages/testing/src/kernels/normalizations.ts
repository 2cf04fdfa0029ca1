import * as tf from '@tensorflow/tfjs';
import type { KernelCase } from './kernel-case.js';
import type { Shape } from './values.js';

/** Statistics that fit x: the gradient's formula holds for no others. */
function normalizationOf(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return { mean, variance, epsilon: 1e-5, scale, shift } as never;
}

const normShapes: Shape[] = [
  [3, 5, 7, 3],
  [4, 4, 4, 16],
  [2, 3, 5, 20],
  [9, 1, 1, 6],
  [33, 8, 8, 8],
];

export const normCases = normShapes.flatMap((x): KernelCase[] => {
  const channels = x.slice(3);
  const label = x.join('×');
  const vectors = { scale: channels, shift: channels };
  return [
    {
      kernel: 'batchStatistics',
      label,
      inputs: { x },
      run: (kernels, inputs) => Object.values(kernels.batchStatistics(inputs.x as tf.Tensor4D)),
    },
    {
      kernel: 'batchStatistics',
      label: `${label}, running`,
      inputs: { x, mean: channels, variance: channels },
      values: { variance: 'squared' },
      run: (kernels, inputs) => {
        const running = { mean: inputs.mean as tf.Tensor1D, variance: inputs.variance as tf.Tensor1D, kept: 0.9 };
        const { mean, variance, running: moved } = kernels.batchStatistics(inputs.x as tf.Tensor4D, running);
        return [mean, variance, ...(moved === undefined ? [] : [moved.mean, moved.variance])];
      },
    },
    ...[
      { residual: false, relu: false },
      { residual: false, relu: true },
      { residual: true, relu: true },
      { residual: true, relu: false },
    ].map(
      ({ residual, relu }): KernelCase => ({
        kernel: 'batchNormApply',
        label: `${label}${residual ? ', residual' : ''}${relu ? ', ReLU' : ''}`,
        inputs: { x, ...vectors, ...(residual ? { residual: x } : {}) },
        run: (kernels, inputs) => {
          const norm = normalizationOf(inputs.x as tf.Tensor, inputs.scale as tf.Tensor, inputs.shift as tf.Tensor);
          return [kernels.batchNormApply(inputs.x as tf.Tensor4D, norm, inputs.residual as tf.Tensor4D, relu)];
        },
      }),
    ),
    {
      kernel: 'batchNormForward',
      label: `${label}, residual, ReLU`,
      inputs: { x, ...vectors, residual: x },
      run: (kernels, { x: image, scale, shift, residual }) => {
        const norm = { scale: scale as tf.Tensor1D, shift: shift as tf.Tensor1D, epsilon: 1e-5 };
        const fused = kernels.batchNormForward?.(image as tf.Tensor4D, norm, residual as tf.Tensor4D, true);
        if (fused !== undefined) return [fused.output, fused.mean, fused.variance];
        const { mean, variance } = kernels.batchStatistics(image as tf.Tensor4D);
        const whole = { ...norm, mean, variance };
        return [kernels.batchNormApply(image as tf.Tensor4D, whole, residual as tf.Tensor4D, true), mean, variance];
      },
    },
    ...(['none', 'recompute', 'output'] as const).flatMap((mask) =>
      [true, false].map(
        (isLast): KernelCase => ({
          kernel: 'batchNormGradient',
          label: `${label}, mask ${mask}${isLast ? ', x overwritten, masked dy wanted' : ''}`,
          inputs: { x, dy: x, output: x, ...vectors },
          consumes: isLast ? ['dy', 'x'] : ['dy'],
          run: (kernels, inputs) => {
            const { dx, dScale, dShift, masked } = kernels.batchNormGradient({
              dy: inputs.dy as tf.Tensor4D,
              x: inputs.x as tf.Tensor4D,
              normalization: normalizationOf(
                inputs.x as tf.Tensor,
                inputs.scale as tf.Tensor,
                inputs.shift as tf.Tensor,
              ),
              mask: mask === 'output' ? (inputs.output as tf.Tensor4D) : mask,
              overwriteInput: isLast,
              wantMasked: isLast,
            });
            return isLast ? [dx, dScale, dShift, masked as tf.Tensor] : [dx, dScale, dShift];
          },
        }),
      ),
    ),
  ];
});

const windows = [
  { x: [2, 4, 6, 3], window: [2, 3] },
  { x: [3, 8, 8, 16], window: [2, 2] },
  { x: [4, 6, 4, 9], window: [6, 4] },
  { x: [5, 3, 5, 8], window: [1, 1] },
  { x: [9, 16, 16, 20], window: [4, 8] },
] as const;

/** Batch norm before means over windows; with cotangents and outputs of either sign, zeros and equal values. */
export const pooledNormCases = windows.flatMap(({ x, window }): KernelCase[] => {
  const [batch, height, width, channels] = x;
  const vectors = { scale: [channels], shift: [channels] };
  const dy = [batch, height / window[0], width / window[1], channels];
  const geometry = { window, stride: window, padding: { top: 0, bottom: 0, left: 0, right: 0 } };
  const label = `${x.join('×')}, windows of ${window.join('×')}`;
  return (['none', 'recompute', 'output'] as const).flatMap((mask) =>
    [true, false].map(
      (overwriteInput): KernelCase => ({
        kernel: 'pooledBatchNormGradient',
        label: `${label}, mask ${mask}${overwriteInput ? ', x overwritten' : ''}`,
        inputs: { x, dy, output: x, ...vectors },
        values: { output: 'tied', dy: 'tied' },
        consumes: overwriteInput ? ['dy', 'x'] : ['dy'],
        run: (kernels, inputs) => {
          const [image, cotangent] = [inputs.x as tf.Tensor4D, inputs.dy as tf.Tensor4D];
          const request = {
            x: image,
            normalization: normalizationOf(image, inputs.scale as tf.Tensor, inputs.shift as tf.Tensor),
            mask: mask === 'output' ? (inputs.output as tf.Tensor4D) : mask,
            overwriteInput,
          };
          const pooled = kernels.pooledBatchNormGradient?.({ ...request, dy: cotangent });
          if (pooled !== undefined) return [pooled.dx, pooled.dScale, pooled.dShift];
          const map = kernels.averagePoolGradient(cotangent, x, geometry);
          cotangent.dispose();
          const { dx, dScale, dShift } = kernels.batchNormGradient({ ...request, dy: map, wantMasked: false });
          return [dx, dScale, dShift];
        },
      }),
    ),
  );
});

const groupNorms = [
  { x: [3, 5, 7, 6], groups: 2 },
  { x: [2, 4, 4, 16], groups: 4 },
  { x: [2, 3, 5, 5], groups: 5 },
  { x: [35, 8, 8, 8], groups: 1 },
  // Large groups, whose mean would otherwise be too close to 0 to compare errors with it.
  { x: [2, 33, 32, 4], groups: 2, kind: 'squared' },
  { x: [4, 1, 1, 12], groups: 3 },
  { x: [300, 1, 1, 13], groups: 1 },
  { x: [3, 1, 1, 8], groups: 1 },
] as const;

export const groupNormCases = groupNorms.flatMap(({ x, groups, ...others }): KernelCase[] => {
  const label = `${x.join('×')}, ${groups} groups`;
  const values = { x: 'kind' in others ? others.kind : 'normal' } as const;
  const vectors = { scale: [x[3]], shift: [x[3]] };
  return [
    {
      kernel: 'groupNorm',
      label,
      inputs: { x, ...vectors },
      values,
      run: (kernels, inputs) => {
        const [scale, shift] = [inputs.scale as tf.Tensor1D, inputs.shift as tf.Tensor1D];
        const { output, mean, variance } = kernels.groupNorm(inputs.x as tf.Tensor4D, {
          groups,
          epsilon: 1e-5,
          scale,
          shift,
        });
        return [output, mean, variance];
      },
    },
    {
      kernel: 'groupNormGradient',
      label,
      inputs: { dy: x, x, scale: vectors.scale },
      values,
      consumes: ['dy'],
      run: (kernels, inputs) => {
        const image = inputs.x as tf.Tensor4D;
        const grouped = tf.reshape(image, [x[0], x[1] * x[2], groups, x[3] / groups]);
        const { mean, variance } = tf.moments(grouped, [1, 3]);
        const { dx, dScale, dShift } = kernels.groupNormGradient({
          dy: inputs.dy as tf.Tensor4D,
          x: image,
          statistics: { mean: mean as tf.Tensor2D, variance: variance as tf.Tensor2D },
          parameters: { groups, epsilon: 1e-5, scale: inputs.scale as tf.Tensor1D },
        });
        return [dx, dScale, dShift];
      },
    },
  ];
});
