import { type Mode, sameShape } from '@localgrad/core';
import { bothAxes, currentKernels, type Shape4 } from '@localgrad/kernels';
import { dispose, type Tensor4D } from '@tensorflow/tfjs';
import { runningStatistics } from './batch-norm-parameters.js';
import { type Convolved, filterShape } from './convolution-steps.js';
import { batched, type ConvolutionUnit } from './convolution-unit.js';
import { filterOf } from './parameter-values.js';
import { fromGrids, toGrids } from './pixel-grids.js';

/** A unit's convolution. With groups, each group of output channels reads its own group of input channels. */
export function convolve({ weight, groups, dilation, geometry, outputShape }: ConvolutionUnit, x: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const run = (input: Tensor4D) =>
    groups === 1
      ? kernels.conv2d(input, filterOf(weight), geometry)
      : kernels.groupedConv2d(input, filterOf(weight), groups, geometry);
  if (dilation === 1) return run(x);
  const grids = toGrids(x, dilation);
  const convolved = run(grids);
  grids.dispose();
  return fromGrids(convolved, dilation, [outputShape[0], outputShape[1]]);
}

/** Whether a unit's convolution is one call of the ordinary kernel, so that kernels which do more at once apply. */
export function isOrdinary({ groups, dilation }: ConvolutionUnit): boolean {
  return groups === 1 && dilation === 1;
}

/** The convolution, with the statistics of its output where the kernels compute both together in training. */
export function convolveUnit(unit: ConvolutionUnit, x: Tensor4D, mode: Mode): Convolved {
  const kernels = currentKernels();
  if (!mode.training || !isOrdinary(unit) || kernels.conv2dStatistics === undefined) return { z: convolve(unit, x) };
  const running = runningStatistics(unit.norm, mode);
  const { output, ...moved } = kernels.conv2dStatistics(x, filterOf(unit.weight), unit.geometry, running);
  return { z: output, moved };
}

/** Whether a unit's input and output have the same shape, so that kernels may write the gradient of one over that of the other. */
export function keepsShape(unit: ConvolutionUnit): boolean {
  const [down, right] = bothAxes(unit.geometry.stride);
  return isOrdinary(unit) && down === 1 && right === 1 && sameShape(unit.inputShape, unit.outputShape);
}

/** The gradient of a unit's input, plus `added` if given. Consumes dy, borrows `added`. */
export function convolutionInputGradient(unit: ConvolutionUnit, dy: Tensor4D, added?: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const { weight, geometry } = unit;
  if (keepsShape(unit) && kernels.conv2dInputGradientInPlace !== undefined) {
    return kernels.conv2dInputGradientInPlace(dy, filterOf(weight), geometry, added);
  }
  const dx = inputGradient(unit, dy, added);
  dy.dispose();
  return dx;
}

function inputGradient(unit: ConvolutionUnit, dy: Tensor4D, added: Tensor4D | undefined): Tensor4D {
  const kernels = currentKernels();
  const { weight, groups, dilation, geometry, inputShape } = unit;
  const shape = batched(inputShape, dy.shape[0]);
  if (isOrdinary(unit)) return kernels.conv2dInputGradient(dy, filterOf(weight), shape, geometry, added);
  const run = (cotangent: Tensor4D, to: Shape4) =>
    groups === 1
      ? kernels.conv2dInputGradient(cotangent, filterOf(weight), to, geometry)
      : kernels.groupedConv2dInputGradient(cotangent, filterOf(weight), groups, to, geometry);
  const input = dilation === 1 ? run(dy, shape) : onGrids(dy, unit, run);
  return added === undefined ? input : kernels.accumulate(input, added);
}

/** The input gradient of a dilated convolution, by that of an ordinary one on the grids. */
function onGrids(
  dy: Tensor4D,
  { dilation, inputShape: [height, width, channels] }: ConvolutionUnit,
  run: (dy: Tensor4D, inputShape: Shape4) => Tensor4D,
): Tensor4D {
  const grids = toGrids(dy, dilation);
  const [count, rows, columns] = grids.shape;
  const input = run(grids, [count, rows, columns, channels]);
  grids.dispose();
  return fromGrids(input, dilation, [height, width]);
}

export function convolutionFilterGradient(unit: ConvolutionUnit, x: Tensor4D, dy: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const { groups, dilation, geometry } = unit;
  const run = (input: Tensor4D, cotangent: Tensor4D) =>
    groups === 1
      ? kernels.conv2dFilterGradient(input, cotangent, filterShape(unit), geometry)
      : kernels.groupedConv2dFilterGradient(input, cotangent, groups, filterShape(unit), geometry);
  if (dilation === 1) return run(x, dy);
  const [input, cotangent] = [toGrids(x, dilation), toGrids(dy, dilation)];
  const gradient = run(input, cotangent);
  dispose([input, cotangent]);
  return gradient;
}
