import type { TrainingKernels } from '@localgrad/kernels';
import { createRandom } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';

type Shape = readonly number[];

export interface KernelCase {
  readonly kernel: keyof TrainingKernels;
  readonly label: string;
  /** Shapes of inputs of normal numbers, by name. */
  readonly inputs: Readonly<Record<string, Shape>>;
  /** Inputs that the kernel consumes. */
  readonly consumes?: readonly string[];
  /** Of the kernel, on tensors of those shapes. */
  readonly run: (kernels: TrainingKernels, inputs: Readonly<Record<string, tf.Tensor>>) => readonly tf.Tensor[];
}

const convolutions = [
  { x: [3, 7, 9, 3], filter: [3, 3, 3, 16], stride: 1, padding: 1 },
  { x: [2, 8, 8, 16], filter: [3, 3, 16, 16], stride: 1, padding: 1 },
  { x: [3, 9, 7, 4], filter: [3, 3, 4, 8], stride: 2, padding: 1 },
  { x: [2, 8, 8, 16], filter: [3, 3, 16, 32], stride: 2, padding: 1 },
  { x: [2, 8, 6, 5], filter: [1, 1, 5, 12], stride: 2, padding: 0 },
  { x: [5, 6, 6, 20], filter: [3, 3, 20, 7], stride: 1, padding: 1 },
  { x: [2, 7, 7, 9], filter: [1, 1, 9, 10], stride: 1, padding: 0 },
  { x: [2, 5, 5, 8], filter: [3, 3, 8, 8], stride: 1, padding: 0 },
  { x: [1, 11, 11, 3], filter: [7, 7, 3, 6], stride: 2, padding: 3 },
] as const;

const convolutionCases = convolutions.flatMap(({ x, filter, stride, padding }): KernelCase[] => {
  const geometry = { stride, padding };
  const [batch, height, width] = x;
  const [size, , , outputs] = filter;
  const out = (length: number) => Math.floor((length + 2 * padding - size) / stride) + 1;
  const dy = [batch, out(height), out(width), outputs];
  const label = `${x.join('×')} by ${filter.join('×')}, stride ${stride}, padding ${padding}`;
  return [
    {
      ...{ kernel: 'conv2d', label, inputs: { x, filter } },
      run: (kernels, { x: image, filter: weight }) => [
        kernels.conv2d(image as tf.Tensor4D, weight as tf.Tensor4D, geometry),
      ],
    },
    {
      ...{ kernel: 'conv2dInputGradient', label, inputs: { dy, filter } },
      run: (kernels, { dy: cotangent, filter: weight }) => [
        kernels.conv2dInputGradient(cotangent as tf.Tensor4D, weight as tf.Tensor4D, x, geometry),
      ],
    },
    {
      ...{ kernel: 'conv2dFilterGradient', label, inputs: { x, dy } },
      run: (kernels, { x: image, dy: cotangent }) => [
        kernels.conv2dFilterGradient(image as tf.Tensor4D, cotangent as tf.Tensor4D, filter, geometry),
      ],
    },
  ];
});

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

const normCases = normShapes.flatMap((x): KernelCase[] => {
  const channels = x.slice(3);
  const label = x.join('×');
  const vectors = { scale: channels, shift: channels };
  return [
    {
      ...{ kernel: 'batchStatistics', label, inputs: { x } },
      run: (kernels, inputs) => Object.values(kernels.batchStatistics(inputs.x as tf.Tensor4D)),
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
      ...{ kernel: 'batchNormForward', label: `${label}, residual, ReLU`, inputs: { x, ...vectors, residual: x } },
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

const otherCases: KernelCase[] = [
  {
    ...{ kernel: 'accumulate', label: '3×5×7×3', inputs: { a: [3, 5, 7, 3], b: [3, 5, 7, 3] }, consumes: ['a'] },
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
  {
    ...{ kernel: 'globalAveragePool', label: '3×5×7×6', inputs: { x: [3, 5, 7, 6] } },
    run: (kernels, { x }) => [kernels.globalAveragePool(x as tf.Tensor4D)],
  },
  {
    ...{ kernel: 'globalAveragePoolGradient', label: '3×5×7×6', inputs: { dy: [3, 6] } },
    run: (kernels, { dy }) => [kernels.globalAveragePoolGradient(dy as tf.Tensor2D, [3, 5, 7, 6])],
  },
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
      kernel: 'sgdUpdate',
      label: `${first ? 'first step, ' : ''}${JSON.stringify(rates)}`,
      inputs: { value: [3, 3, 5, 7], gradient: [3, 3, 5, 7], ...(first ? {} : { velocity: [3, 3, 5, 7] }) },
      consumes: ['gradient', 'velocity'],
      run: (kernels, { value, gradient, velocity }) =>
        Object.values(
          kernels.sgdUpdate({
            ...{ value: value as tf.Tensor, gradient: gradient as tf.Tensor, velocity, learningRate: 0.1 },
            ...rates,
          }),
        ),
    }),
  ),
];

/** Every training kernel; a new one gets its rows here. */
export const kernelCases: readonly KernelCase[] = [...convolutionCases, ...normCases, ...otherCases];

/** The case's inputs on the current backend; the same numbers each time. */
export function drawInputs({ kernel, label, inputs }: KernelCase): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => {
      const random = createRandom(5, `${kernel} ${label} ${name}`);
      const size = shape.reduce((product, length) => product * length, 1);
      return [
        name,
        tf.tensor(
          Float32Array.from({ length: size }, () => random.normal()),
          [...shape],
        ),
      ];
    }),
  );
}
