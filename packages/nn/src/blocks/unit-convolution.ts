import type { Mode } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { runningStatistics } from './batch-norm-parameters.js';
import { type Convolved, filterShape } from './convolution-steps.js';
import { batched, type ConvolutionUnit } from './convolution-unit.js';
import { filterOf } from './parameter-values.js';

/** A unit's convolution. With groups, each group of output channels reads its own group of input channels. */
export function convolve({ weight, groups, geometry }: ConvolutionUnit, x: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  if (groups === 1) return kernels.conv2d(x, filterOf(weight), geometry);
  return kernels.groupedConv2d(x, filterOf(weight), groups, geometry);
}

/** The convolution, with the statistics of its output where the kernels compute both together in training. */
export function convolveUnit(unit: ConvolutionUnit, x: Tensor4D, mode: Mode): Convolved {
  const kernels = currentKernels();
  if (!mode.training || unit.groups > 1 || kernels.conv2dStatistics === undefined) return { z: convolve(unit, x) };
  const running = runningStatistics(unit.norm, mode);
  const { output, ...moved } = kernels.conv2dStatistics(x, filterOf(unit.weight), unit.geometry, running);
  return { z: output, moved };
}

/** The gradient of a unit's input, plus `added` if given. Borrows its arguments. */
export function convolutionInputGradient(unit: ConvolutionUnit, dy: Tensor4D, added?: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const { weight, groups, geometry } = unit;
  const shape = batched(unit.inputShape, dy.shape[0]);
  if (groups === 1) return kernels.conv2dInputGradient(dy, filterOf(weight), shape, geometry, added);
  const input = kernels.groupedConv2dInputGradient(dy, filterOf(weight), groups, shape, geometry);
  return added === undefined ? input : kernels.accumulate(input, added);
}

export function convolutionFilterGradient(unit: ConvolutionUnit, x: Tensor4D, dy: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const { groups, geometry } = unit;
  if (groups === 1) return kernels.conv2dFilterGradient(x, dy, filterShape(unit), geometry);
  return kernels.groupedConv2dFilterGradient(x, dy, groups, filterShape(unit), geometry);
}
