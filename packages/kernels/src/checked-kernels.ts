import { formatShape, LocalgradError } from '@localgrad/core';
import type { Tensor } from '@tensorflow/tfjs';
import { convolutionMeasures } from './convolution-measures.js';
import type { PoolingGeometry, Shape4 } from './geometry.js';
import type { Operation } from './operations.js';
import { stockKernels } from './stock-kernels.js';
import type { ConvolutionGeometry, Normalization, TrainingKernels } from './training-kernels.js';

type Shape = readonly number[];
/** Fails unless a shape is the expected one; −1 stands for any size. */
type Require = (what: string, found: Shape, expected: Shape) => void;
/** The shapes of the arguments that a kernel does not compare itself. */
type Check<Kernel extends Operation> = (
  require: Require,
  ...values: Parameters<NonNullable<TrainingKernels[Kernel]>>
) => void;

const any = -1;

function convolved(input: Shape, filter: Shape, geometry: ConvolutionGeometry, channels: number): Shape {
  const { outHeight, outWidth } = convolutionMeasures(input as Shape4, filter as Shape4, geometry);
  return [input[0] ?? 0, outHeight, outWidth, channels];
}

function pooled([batch = 0, height = 0, width = 0, channels = 0]: Shape, geometry: PoolingGeometry): Shape {
  const { window, stride, padding } = geometry;
  const outHeight = Math.floor((height + padding.top + padding.bottom - window[0]) / stride[0]) + 1;
  const outWidth = Math.floor((width + padding.left + padding.right - window[1]) / stride[1]) + 1;
  return [batch, outHeight, outWidth, channels];
}

/** A convolution whose filter has a number of input channels, and its gradients. */
function convolution(
  require: Require,
  [input, filter, geometry]: readonly [Shape, Shape, ConvolutionGeometry],
  [inputs, outputs]: readonly [inputs: number, outputs: number],
  dy?: Tensor,
): void {
  require('the filter', filter, [any, any, inputs, any]);
  if (dy !== undefined) require('dy', dy.shape, convolved(input, filter, geometry, outputs));
}

function full(
  require: Require,
  input: Shape,
  filter: Shape,
  geometry: ConvolutionGeometry,
  dy?: Tensor,
  added?: Tensor,
): void {
  convolution(require, [input, filter, geometry], [channelsOf(input), channelsOf(filter)], dy);
  if (added !== undefined) require('added', added.shape, input);
}

function depthwise(require: Require, input: Shape, filter: Shape, geometry: ConvolutionGeometry, dy?: Tensor): void {
  const channels = channelsOf(input);
  convolution(require, [input, filter, geometry], [channels, channels * channelsOf(filter)], dy);
}

function grouped(
  require: Require,
  input: Shape,
  filter: Shape,
  groups: number,
  geometry: ConvolutionGeometry,
  dy?: Tensor,
): void {
  convolution(require, [input, filter, geometry], [channelsOf(input) / groups, channelsOf(filter)], dy);
}

function channelsOf(shape: Shape): number {
  return shape[3] ?? 0;
}

function normalization(
  require: Require,
  channels: number,
  { mean, variance, scale, shift }: Partial<Pick<Normalization, 'mean' | 'variance' | 'scale' | 'shift'>>,
): void {
  for (const [name, vector] of Object.entries({ mean, variance, scale, shift })) {
    if (vector !== undefined) require(name, vector.shape, [channels]);
  }
}

function updates(
  require: Require,
  requests: readonly { readonly value: Tensor; readonly others: Readonly<Record<string, Tensor | undefined>> }[],
): void {
  for (const { value, others } of requests) {
    for (const [name, other] of Object.entries(others))
      if (other !== undefined) require(name, other.shape, value.shape);
  }
}

const checks: { readonly [Kernel in Operation]?: Check<Kernel> } = {
  conv2d: (require, x, filter, geometry) => full(require, x.shape, filter.shape, geometry),
  conv2dInputGradient: (require, dy, filter, input, geometry, added) =>
    full(require, input, filter.shape, geometry, dy, added),
  conv2dInputGradientInPlace: (require, dy, filter, geometry, added) =>
    full(require, dy.shape, filter.shape, geometry, dy, added),
  conv2dFilterGradient: (require, x, dy, filter, geometry) => full(require, x.shape, filter, geometry, dy),
  conv2dStatistics: (require, x, filter, geometry, running) => {
    full(require, x.shape, filter.shape, geometry);
    if (running !== undefined) normalization(require, channelsOf(filter.shape), running);
  },
  conv2dActivatedFilterGradient: (require, x, given, dy, filter, geometry) => {
    full(require, x.shape, filter, geometry, dy);
    normalization(require, channelsOf(x.shape), given);
  },
  depthwiseConv2d: (require, x, filter, geometry) => depthwise(require, x.shape, filter.shape, geometry),
  depthwiseConv2dInputGradient: (require, dy, filter, input, geometry) =>
    depthwise(require, input, filter.shape, geometry, dy),
  depthwiseConv2dFilterGradient: (require, x, dy, filter, geometry) =>
    depthwise(require, x.shape, filter, geometry, dy),
  groupedConv2d: (require, x, filter, groups, geometry) => grouped(require, x.shape, filter.shape, groups, geometry),
  groupedConv2dInputGradient: (require, dy, filter, groups, input, geometry) =>
    grouped(require, input, filter.shape, groups, geometry, dy),
  groupedConv2dFilterGradient: (require, x, dy, groups, filter, geometry) =>
    grouped(require, x.shape, filter, groups, geometry, dy),
  batchStatistics: (require, x, running) => {
    if (running !== undefined) normalization(require, channelsOf(x.shape), running);
  },
  batchNormApply: (require, x, given, residual) => {
    normalization(require, channelsOf(x.shape), given);
    if (residual !== undefined) require('residual', residual.shape, x.shape);
  },
  batchNormGradient: (require, { dy, x, normalization: given, mask }) => {
    normalization(require, channelsOf(x.shape), given);
    require('dy', dy.shape, x.shape);
    if (typeof mask === 'object') require('mask', mask.shape, x.shape);
  },
  pooledBatchNormGradient: (require, { dy, x, normalization: given, mask }) => {
    normalization(require, channelsOf(x.shape), given);
    require('dy', dy.shape, [x.shape[0], any, any, x.shape[3]]);
    if (typeof mask === 'object') require('mask', mask.shape, x.shape);
  },
  groupNorm: (require, x, { scale, shift }) => normalization(require, channelsOf(x.shape), { scale, shift }),
  groupNormGradient: (require, { dy, x, statistics: { mean, variance }, parameters: { groups, scale } }) => {
    require('dy', dy.shape, x.shape);
    normalization(require, channelsOf(x.shape), { scale });
    for (const [name, one] of Object.entries({ mean, variance })) require(name, one.shape, [x.shape[0], groups]);
  },
  attention: (require, x, heads) => {
    const width = 3 * heads;
    require('x', x.shape, [any, any, any, width * Math.floor(channelsOf(x.shape) / width)]);
  },
  attentionGradient: (require, dy, x) => require('dy', dy.shape, [...x.shape.slice(0, 3), channelsOf(x.shape) / 3]),
  geluGradient: (require, dy, x) => require('dy', dy.shape, x.shape),
  accumulate: (require, a, b) => require('b', b.shape, a.shape),
  matMul: (require, a, b, transposeA, transposeB) => {
    const inner = a.shape[transposeA ? 0 : 1] ?? 0;
    require('b', b.shape, transposeB ? [any, inner] : [inner, any]);
  },
  mapAxis: (require, x, map, transposed) =>
    require('x', x.shape, [any, transposed ? map.length : (map[0]?.length ?? 0), any]),
  reluGradient: (require, dy, output) => require('dy', dy.shape, output.shape),
  globalAveragePoolGradient: (require, dy, input) => require('dy', dy.shape, [input[0], input[3]]),
  maxPoolGradient: (require, dy, x, geometry) => require('dy', dy.shape, pooled(x.shape, geometry)),
  averagePoolGradient: (require, dy, input, geometry) => require('dy', dy.shape, pooled(input, geometry)),
  softmaxCrossEntropy: (require, logits, labels) => require('labels', labels.shape, [logits.shape[0]]),
  binaryCrossEntropy: (require, logits, targets) => require('targets', targets.shape, logits.shape),
  sgdUpdateAll: (require, requests) =>
    updates(
      require,
      requests.map(({ value, gradient, velocity }) => ({ value, others: { gradient, velocity } })),
    ),
  adamUpdateAll: (require, requests) =>
    updates(
      require,
      requests.map(({ value, gradient, moments }) => ({ value, others: { gradient, ...moments } })),
    ),
  blendAll: (require, requests) =>
    updates(
      require,
      requests.map(({ average, value }) => ({ value: average, others: { value } })),
    ),
};

/**
 * Kernels that compare the shapes of their arguments before they run. They take sizes from one argument and would read the others
 * beyond their ends. Stock operations compare shapes themselves.
 */
export function checkedKernels<Kernels extends TrainingKernels>(kernels: Kernels): Kernels {
  const checked = Object.entries(checks).flatMap(([name, check]) => {
    const kernel = kernels[name as Operation] as ((...values: unknown[]) => unknown) | undefined;
    if (kernel === undefined || kernel === stockKernels[name as Operation]) return [];
    const run = check as (require: Require, ...values: unknown[]) => void;
    const require: Require = (what, found, expected) => {
      const fits =
        found.length === expected.length &&
        found.every((size, axis) => expected[axis] === any || size === expected[axis]);
      if (!fits) throw mismatch(name, what, found, expected);
    };
    const wrapped = (...values: unknown[]) => {
      run(require, ...values);
      return kernel(...values);
    };
    return [[name, wrapped] as const];
  });
  return { ...kernels, ...Object.fromEntries(checked) };
}

function mismatch(name: string, what: string, found: Shape, expected: Shape): LocalgradError {
  const wanted = expected.map((size) => (size === any ? 'any' : size)).join('×') || '[]';
  return new LocalgradError(
    'shape-mismatch',
    `Kernel ${name}: ${what} has shape ${formatShape(found)}; its other arguments require ${wanted}.`,
    { kernel: name, argument: what, found, expected },
  );
}
