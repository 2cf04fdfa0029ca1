import type { PoolingGeometry, Shape4, TrainingKernels } from '@localgrad/kernels';
import { createRandom } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';

type Shape = readonly number[];

/**
 * What an input's numbers are: normal by default; `negative`: all below 0; `tied`: small integers; `nonFinite`: with NaN,
 * Infinity and −Infinity in between.
 */
export type ValueKind = 'normal' | 'negative' | 'zero' | 'tied' | 'nonFinite';

export interface KernelCase {
  readonly kernel: keyof TrainingKernels;
  readonly label: string;
  /** Shapes of the inputs, by name. */
  readonly inputs: Readonly<Record<string, Shape>>;
  /** Inputs whose numbers are not normal ones. */
  readonly values?: Readonly<Record<string, ValueKind>>;
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

const around = (vertical: number, horizontal = vertical) => ({
  padding: { top: vertical, bottom: vertical, left: horizontal, right: horizontal },
});

const poolings: readonly { x: Shape4; geometry: PoolingGeometry }[] = [
  { x: [3, 8, 8, 5], geometry: { window: [2, 2], stride: [2, 2], ...around(0) } },
  { x: [2, 9, 7, 4], geometry: { window: [3, 3], stride: [2, 2], ...around(1) } },
  { x: [2, 7, 5, 6], geometry: { window: [3, 2], stride: [1, 3], ...around(1, 0) } },
  { x: [1, 5, 6, 9], geometry: { window: [5, 6], stride: [1, 1], ...around(0) } },
  { x: [2, 7, 8, 3], geometry: { window: [2, 2], stride: [3, 3], ...around(0) } },
  // As TensorFlow pads at stride 2: nothing before the map, one cell behind it.
  {
    x: [2, 6, 8, 8],
    geometry: { window: [3, 3], stride: [2, 2], padding: { top: 0, bottom: 1, left: 0, right: 1 } },
  },
];

const poolingCases = poolings.flatMap(({ x, geometry }) => {
  const { window, stride, padding } = geometry;
  const out = (size: number, axis: 0 | 1, border: number) =>
    Math.floor((size + border - window[axis]) / stride[axis]) + 1;
  const height = out(x[1], 0, padding.top + padding.bottom);
  const dy = [x[0], height, out(x[2], 1, padding.left + padding.right), x[3]];
  const pads = Object.values(padding).join();
  const shape = `${x.join('×')}, window ${window.join('×')}, stride ${stride.join('×')}, padding ${pads}`;
  return (['normal', 'negative', 'zero', 'tied', 'nonFinite'] as const).flatMap((kind): KernelCase[] => {
    const label = `${shape}, ${kind}`;
    return [
      {
        ...{ kernel: 'maxPool', label, inputs: { x }, values: { x: kind } },
        run: (kernels, inputs) => [kernels.maxPool(inputs.x as tf.Tensor4D, geometry)],
      },
      {
        ...{ kernel: 'maxPoolGradient', label, inputs: { dy, x }, values: { x: kind } },
        run: (kernels, inputs) => [
          kernels.maxPoolGradient(inputs.dy as tf.Tensor4D, inputs.x as tf.Tensor4D, geometry),
        ],
      },
      {
        ...{ kernel: 'averagePool', label, inputs: { x }, values: { x: kind } },
        run: (kernels, inputs) => [kernels.averagePool(inputs.x as tf.Tensor4D, geometry)],
      },
      {
        ...{ kernel: 'averagePoolGradient', label, inputs: { dy }, values: { dy: kind } },
        run: (kernels, inputs) => [kernels.averagePoolGradient(inputs.dy as tf.Tensor4D, x, geometry)],
      },
    ];
  });
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

/** The input whose NaN and infinities have to come through, by kernel. Statistics of x are only defined for finite x. */
const carriers: Readonly<Partial<Record<KernelCase['kernel'], string>>> = {
  ...{ conv2d: 'x', conv2dInputGradient: 'dy', conv2dFilterGradient: 'x', batchStatistics: 'x', accumulate: 'b' },
  ...{ batchNormApply: 'residual', batchNormForward: 'residual', matMul: 'a', globalAveragePool: 'x' },
  ...{ globalAveragePoolGradient: 'dy', softmaxCrossEntropy: 'logits', sgdUpdate: 'gradient' },
};

function nonFiniteCases(cases: readonly KernelCase[]): KernelCase[] {
  return cases.flatMap((row) => {
    const carrier = carriers[row.kernel];
    if (carrier === undefined || row.inputs[carrier] === undefined) return [];
    return { ...row, label: `${row.label}, ${carrier} not finite`, values: { [carrier]: 'nonFinite' } };
  });
}

/** Every training kernel; a new one gets its rows here. */
export const kernelCases: readonly KernelCase[] = [
  ...[...convolutionCases, ...normCases, ...poolingCases, ...otherCases],
  ...nonFiniteCases([...convolutionCases, ...normCases, ...otherCases]),
];

/** The case's inputs on the current backend; the same numbers each time. */
export function drawInputs({ kernel, label, inputs, values = {} }: KernelCase): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [
      name,
      tf.tensor(drawValues(shape, `${kernel} ${label} ${name}`, values[name] ?? 'normal'), [...shape]),
    ]),
  );
}

/** Reproducible numbers of a kind; `offset` moves those that are not finite. */
export function drawValues(shape: Shape, name: string, kind: ValueKind, offset = 0): Float32Array {
  const random = createRandom(5, name);
  const size = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: size }, (_, index) => draws[kind](random.normal(), index + offset));
}

const draws: Readonly<Record<ValueKind, (normal: number, index: number) => number>> = {
  normal: (normal) => normal,
  negative: (normal) => -Math.abs(normal) - 0.1,
  zero: () => 0,
  tied: (normal) => Math.round(normal),
  // Far enough apart that no window of the cases has two NaN.
  nonFinite: (normal, index) => nonFinite[index % 97] ?? normal,
};

const nonFinite: Readonly<Record<number, number>> = {
  5: Number.NaN,
  20: Number.POSITIVE_INFINITY,
  40: Number.NEGATIVE_INFINITY,
  41: Number.NEGATIVE_INFINITY,
};
