import { type ConvolutionGeometry, convolutionMeasures, type Shape4 } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { labelOf } from './convolutions.js';
import type { KernelCase } from './kernel-case.js';

interface GroupedConvolution extends ConvolutionGeometry {
  readonly x: Shape4;
  readonly filter: Shape4;
  readonly groups: number;
}

/**
 * Groups as in ResNeXt, odd widths, one channel per group, uneven numbers of channels on both sides, many images, oblong
 * filters, strides that leave pixels out, many channels per group.
 */
const groupedConvolutions: readonly GroupedConvolution[] = [
  { x: [3, 7, 9, 16], filter: [3, 3, 4, 16], groups: 4, stride: 1, padding: 1 },
  { x: [2, 8, 7, 16], filter: [3, 3, 8, 16], groups: 2, stride: 2, padding: 1 },
  { x: [2, 6, 5, 6], filter: [3, 3, 2, 15], groups: 3, stride: 1, padding: 0 },
  { x: [1, 9, 9, 12], filter: [5, 5, 1, 24], groups: 12, stride: 2, padding: 2 },
  { x: [34, 6, 6, 32], filter: [3, 3, 1, 32], groups: 32, stride: 1, padding: 1 },
  { x: [2, 12, 12, 8], filter: [1, 1, 8, 8], groups: 1, stride: 1, padding: 0 },
  { x: [2, 7, 9, 8], filter: [3, 2, 4, 10], groups: 2, stride: [1, 2], padding: [1, 0] },
  { x: [2, 8, 11, 12], filter: [2, 2, 4, 9], groups: 3, stride: 3, padding: 1 },
  { x: [2, 5, 6, 40], filter: [3, 3, 20, 36], groups: 2, stride: [2, 1], padding: 1 },
  { x: [1, 4, 5, 8], filter: [1, 1, 4, 8], groups: 2, stride: 2, padding: 1 },
];

export const groupedCases = groupedConvolutions.flatMap(({ x, filter, groups, ...geometry }): KernelCase[] => {
  const { outHeight, outWidth } = convolutionMeasures(x, filter, geometry);
  const dy: Shape4 = [x[0], outHeight, outWidth, filter[3]];
  const label = `${groups} groups, ${labelOf(x, filter, geometry)}`;
  return [
    {
      kernel: 'groupedConv2d',
      label,
      inputs: { x, filter },
      run: (kernels, inputs) => [
        kernels.groupedConv2d(inputs.x as Tensor4D, inputs.filter as Tensor4D, groups, geometry),
      ],
    },
    {
      kernel: 'groupedConv2dInputGradient',
      label,
      inputs: { dy, filter },
      run: (kernels, inputs) => [
        kernels.groupedConv2dInputGradient(inputs.dy as Tensor4D, inputs.filter as Tensor4D, groups, x, geometry),
      ],
    },
    {
      kernel: 'groupedConv2dFilterGradient',
      label,
      inputs: { x, dy },
      run: (kernels, inputs) => [
        kernels.groupedConv2dFilterGradient(inputs.x as Tensor4D, inputs.dy as Tensor4D, groups, filter, geometry),
      ],
    },
  ];
});
