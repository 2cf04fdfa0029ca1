import type { Mode, Parameter, Want } from '@localgrad/core';
import { type BatchNormGradient, type BatchStatistics, currentKernels } from '@localgrad/kernels';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { normalization, updateRunningStatistics } from './batch-norm-parameters.js';
import { type ConvolutionUnit, isTrained } from './convolution-unit.js';

/** Tensors that a unit's forward pass stores for its backward pass. */
export interface UnitResidual {
  /** The convolution's output. */
  readonly z: Tensor4D;
  readonly statistics: BatchStatistics;
  /** The activation after it, if it is stored. */
  readonly y?: Tensor4D;
}

/**
 * Batch norm after a unit's convolution, with an optional residual and ReLU. Training uses the batch's statistics,
 * updates the running ones, and stores z for the backward pass; evaluation stores nothing and consumes z.
 */
export function normalizeUnit(
  unit: ConvolutionUnit,
  z: Tensor4D,
  mode: Mode,
  added: Tensor4D | undefined,
  relu: boolean,
): { residual: UnitResidual; output: Tensor4D } {
  const kernels = currentKernels();
  if (!mode.training) {
    const output = kernels.batchNormApply(z, normalization(unit.norm), added, relu);
    z.dispose();
    return { residual: { z, statistics: undefined as never }, output };
  }
  const { statistics, output } = withBatchStatistics(unit, z, added, relu);
  updateRunningStatistics(unit.norm, statistics, z.size / unit.norm.channels, mode);
  return { residual: { z, statistics }, output };
}

function withBatchStatistics(unit: ConvolutionUnit, z: Tensor4D, added: Tensor4D | undefined, relu: boolean) {
  const kernels = currentKernels();
  if (kernels.batchNormForward !== undefined) {
    const { output, mean, variance } = kernels.batchNormForward(z, normalization(unit.norm), added, relu);
    return { statistics: { mean, variance }, output };
  }
  const statistics = kernels.batchStatistics(z);
  return { statistics, output: kernels.batchNormApply(z, normalization(unit.norm, statistics), added, relu) };
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
