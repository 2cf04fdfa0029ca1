import type { Mode, Parameter, Want } from '@localgrad/core';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { currentKernels } from '../kernels/registry.js';
import type { BatchNormGradient, BatchStatistics } from '../kernels/training-kernels.js';
import { normalisation, updateRunningStatistics } from './batch-norm-parameters.js';
import { type ConvolutionUnit, filterOf, isTrained } from './convolution-unit.js';

/** What a unit's forward leaves for its backward. */
export interface UnitResidual {
  /** The convolution's output. */
  readonly z: Tensor4D;
  readonly statistics: BatchStatistics;
  /** The activation after it, where it is kept. */
  readonly y?: Tensor4D;
}

/** Convolution, and in training its batch statistics, which the running ones take in. */
export function convolve(unit: ConvolutionUnit, x: Tensor4D, mode: Mode): UnitResidual {
  const kernels = currentKernels();
  const z = kernels.conv2d(x, filterOf(unit), unit.geometry);
  if (!mode.training) return { z, statistics: undefined as never };
  const statistics = kernels.batchStatistics(z);
  updateRunningStatistics(unit.norm, statistics, z.size / unit.norm.channels, mode);
  return { z, statistics };
}

export function normalise(unit: ConvolutionUnit, residual: UnitResidual, mode: Mode) {
  return normalisation(unit.norm, mode.training ? residual.statistics : undefined);
}

/** In evaluation nothing is kept. */
export function settle(residual: UnitResidual, mode: Mode): UnitResidual {
  if (!mode.training) residual.z.dispose();
  return residual;
}

export function keepNormGradients(
  { norm }: ConvolutionUnit,
  { dScale, dShift }: BatchNormGradient,
  want: Want,
  gradients: Map<Parameter, Tensor>,
): void {
  for (const [parameter, gradient] of [
    [norm.scale, dScale],
    [norm.shift, dShift],
  ] as const) {
    if (want.parameters && isTrained(parameter)) gradients.set(parameter, gradient);
    else gradient.dispose();
  }
}

export function filterShape({ weight }: ConvolutionUnit): [number, number, number, number] {
  return weight.shape as [number, number, number, number];
}
