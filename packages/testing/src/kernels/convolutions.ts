import { type ConvolutionGeometry, convolutionMeasures, type Shape4 } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import type { KernelCase } from './kernel-case.js';

const convolutions = [
  { x: [3, 7, 9, 3], filter: [3, 3, 3, 16], stride: 1, padding: 1 },
  { x: [2, 8, 8, 16], filter: [3, 3, 16, 16], stride: 1, padding: 1 },
  { x: [3, 9, 7, 4], filter: [3, 3, 4, 8], stride: 2, padding: 1 },
  { x: [2, 8, 8, 16], filter: [3, 3, 16, 32], stride: 2, padding: 1 },
  { x: [2, 8, 6, 5], filter: [1, 1, 5, 12], stride: 2, padding: 0 },
  { x: [6, 8, 8, 4], filter: [1, 1, 4, 8], stride: 2, padding: 0 },
  { x: [5, 6, 6, 20], filter: [3, 3, 20, 7], stride: 1, padding: 1 },
  { x: [2, 7, 7, 9], filter: [1, 1, 9, 10], stride: 1, padding: 0 },
  { x: [2, 5, 5, 8], filter: [3, 3, 8, 8], stride: 1, padding: 0 },
  { x: [1, 11, 11, 3], filter: [7, 7, 3, 6], stride: 2, padding: 3 },
  { x: [2, 7, 9, 5], filter: [1, 3, 5, 8], stride: 1, padding: [0, 1] },
  { x: [3, 9, 7, 8], filter: [3, 1, 8, 9], stride: [2, 1], padding: [1, 0] },
  { x: [1, 5, 11, 4], filter: [1, 7, 4, 6], stride: 1, padding: [0, 3] },
  { x: [2, 11, 6, 3], filter: [5, 2, 3, 17], stride: [1, 3], padding: [2, 0] },
  { x: [2, 9, 13, 8], filter: [3, 3, 8, 16], stride: [2, 1], padding: 1 },
  { x: [70, 4, 4, 8], filter: [3, 3, 8, 8], stride: 1, padding: 1 },
  { x: [3, 7, 6, 5], filter: [1, 3, 5, 5], stride: 1, padding: [0, 1] },
  { x: [5, 6, 5, 12], filter: [1, 1, 12, 12], stride: 1, padding: 0 },
] as const;

/** Two operations in one, where kernels have them; else one after the other. */
function fusedCases({ label, x, filter, dy, geometry }: FusedShapes): KernelCase[] {
  const [vector, outputs] = [[x[3]], [filter[3]]];
  const filterShape = filter;
  return [
    {
      kernel: 'conv2dStatistics',
      label,
      inputs: { x, filter, mean: outputs, variance: outputs },
      values: { variance: 'squared' },
      run: (kernels, inputs) => {
        const [image, weight] = [inputs.x as tf.Tensor4D, inputs.filter as tf.Tensor4D];
        const old = { mean: inputs.mean as tf.Tensor1D, variance: inputs.variance as tf.Tensor1D, kept: 0.81 };
        const fused = kernels.conv2dStatistics?.(image, weight, geometry, old);
        const output = fused?.output ?? kernels.conv2d(image, weight, geometry);
        const { mean, variance, running } = fused ?? kernels.batchStatistics(output, old);
        return [output, mean, variance, ...(running === undefined ? [] : [running.mean, running.variance])];
      },
    },
    {
      kernel: 'conv2dActivatedFilterGradient',
      label,
      inputs: { x, dy, mean: vector, variance: vector, scale: vector, shift: vector },
      values: { variance: 'squared' },
      run: (kernels, inputs) => {
        const [image, cotangent] = [inputs.x as tf.Tensor4D, inputs.dy as tf.Tensor4D];
        const [mean, variance] = [inputs.mean as tf.Tensor1D, inputs.variance as tf.Tensor1D];
        const norm = {
          mean,
          variance,
          scale: inputs.scale as tf.Tensor1D,
          shift: inputs.shift as tf.Tensor1D,
          epsilon: 0.1,
        };
        const fused = kernels.conv2dActivatedFilterGradient?.(image, norm, cotangent, filterShape, geometry);
        if (fused !== undefined) return [fused];
        const activation = kernels.batchNormApply(image, norm, undefined, true);
        const gradient = kernels.conv2dFilterGradient(activation, cotangent, filterShape, geometry);
        activation.dispose();
        return [gradient];
      },
    },
  ];
}

/** The input gradient over its cotangent, where the convolution keeps the shape and kernels have it. */
function inPlaceCases({ label, x, filter, dy, geometry }: FusedShapes): KernelCase[] {
  if (geometry.stride !== 1 || x.some((extent, axis) => extent !== dy[axis])) return [];
  return [false, true].map((isAdded) => ({
    kernel: 'conv2dInputGradientInPlace',
    label: isAdded ? `${label}, added` : label,
    inputs: { dy, filter, ...(isAdded ? { added: x } : {}) },
    consumes: ['dy'],
    run: (kernels, inputs) => {
      const [cotangent, weight] = [inputs.dy as tf.Tensor4D, inputs.filter as tf.Tensor4D];
      const added = inputs.added as tf.Tensor4D | undefined;
      const inPlace = kernels.conv2dInputGradientInPlace?.(cotangent, weight, geometry, added);
      if (inPlace !== undefined) return [inPlace];
      const gradient = kernels.conv2dInputGradient(cotangent, weight, x, geometry, added);
      cotangent.dispose();
      return [gradient];
    },
  }));
}

interface FusedShapes {
  readonly label: string;
  readonly x: Shape4;
  readonly filter: Shape4;
  readonly dy: readonly number[];
  readonly geometry: ConvolutionGeometry;
}

export const convolutionCases = convolutions.flatMap(({ x, filter, stride, padding }): KernelCase[] => {
  const geometry = { stride, padding };
  const { outHeight, outWidth } = convolutionMeasures(x, filter, geometry);
  const dy = [x[0], outHeight, outWidth, filter[3]];
  const label = labelOf(x, filter, geometry);
  return [
    {
      kernel: 'conv2d',
      label,
      inputs: { x, filter },
      run: (kernels, { x: image, filter: weight }) => [
        kernels.conv2d(image as tf.Tensor4D, weight as tf.Tensor4D, geometry),
      ],
    },
    {
      kernel: 'conv2dInputGradient',
      label,
      inputs: { dy, filter },
      run: (kernels, { dy: cotangent, filter: weight }) => [
        kernels.conv2dInputGradient(cotangent as tf.Tensor4D, weight as tf.Tensor4D, x, geometry),
      ],
    },
    {
      kernel: 'conv2dInputGradient',
      label: `${label}, added`,
      inputs: { dy, filter, added: x },
      run: (kernels, { dy: cotangent, filter: weight, added }) => [
        kernels.conv2dInputGradient(
          ...([cotangent as tf.Tensor4D, weight as tf.Tensor4D, x, geometry, added as tf.Tensor4D] as const),
        ),
      ],
    },
    ...inPlaceCases({ label, x, filter, dy, geometry }),
    ...fusedCases({ label, x, filter, dy, geometry }),
    {
      kernel: 'conv2dFilterGradient',
      label,
      inputs: { x, dy },
      run: (kernels, { x: image, dy: cotangent }) => [
        kernels.conv2dFilterGradient(image as tf.Tensor4D, cotangent as tf.Tensor4D, filter, geometry),
      ],
    },
  ];
});

/** A case's name: shapes, stride and padding. */
export function labelOf(x: Shape4, filter: Shape4, { stride, padding }: ConvolutionGeometry): string {
  const [strides, paddings] = [stride, padding].map((value) => [value].flat().join('×'));
  return `${x.join('×')} by ${filter.join('×')}, stride ${strides}, padding ${paddings}`;
}

const depthwiseConvolutions = [
  { x: [3, 7, 9, 5], filter: [3, 3, 5, 1], stride: 1, padding: 1 },
  { x: [2, 8, 7, 8], filter: [3, 3, 8, 1], stride: 2, padding: 1 },
  { x: [2, 6, 5, 3], filter: [3, 2, 3, 4], stride: 1, padding: 0 },
  { x: [1, 9, 9, 6], filter: [5, 5, 6, 2], stride: 2, padding: 2 },
  { x: [34, 6, 6, 16], filter: [3, 3, 16, 1], stride: 1, padding: 1 },
  { x: [2, 7, 9, 4], filter: [1, 3, 4, 2], stride: [1, 2], padding: [0, 1] },
  { x: [3, 9, 5, 5], filter: [3, 1, 5, 1], stride: [2, 1], padding: [1, 0] },
] as const;

export const depthwiseCases = depthwiseConvolutions.flatMap(({ x, filter, stride, padding }): KernelCase[] => {
  const geometry = { stride, padding };
  const { outHeight, outWidth } = convolutionMeasures(x, filter, geometry);
  const dy = [x[0], outHeight, outWidth, filter[2] * filter[3]];
  const label = labelOf(x, filter, geometry);
  return [
    {
      kernel: 'depthwiseConv2d',
      label,
      inputs: { x, filter },
      run: (kernels, inputs) => [
        kernels.depthwiseConv2d(inputs.x as tf.Tensor4D, inputs.filter as tf.Tensor4D, geometry),
      ],
    },
    {
      kernel: 'depthwiseConv2dInputGradient',
      label,
      inputs: { dy, filter },
      run: (kernels, inputs) => [
        kernels.depthwiseConv2dInputGradient(inputs.dy as tf.Tensor4D, inputs.filter as tf.Tensor4D, x, geometry),
      ],
    },
    {
      kernel: 'depthwiseConv2dFilterGradient',
      label,
      inputs: { x, dy },
      run: (kernels, inputs) => [
        kernels.depthwiseConv2dFilterGradient(inputs.x as tf.Tensor4D, inputs.dy as tf.Tensor4D, filter, geometry),
      ],
    },
  ];
});
