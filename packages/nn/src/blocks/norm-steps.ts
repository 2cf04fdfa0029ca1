import type { Mode, Parameter, Want } from '@localgrad/core';
import { type BatchNormGradient, type BatchStatistics, currentKernels } from '@localgrad/kernels';
import { add, dispose, mul, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs';
import {
  assignRunning,
  type BatchNormParameters,
  requireVariance,
  runningStatistics,
} from './batch-norm-parameters.js';
import { isTrained } from './convolution-unit.js';

/** The statistics of a batch in training; the running ones follow them. */
export function takeBatchStatistics(norm: BatchNormParameters, x: Tensor4D, mode: Mode): BatchStatistics {
  requireVariance(norm, x);
  const { mean, variance, ...moved } = currentKernels().batchStatistics(x, runningStatistics(norm, mode));
  assignRunning(norm, moved);
  return { mean, variance };
}

/** As `takeBatchStatistics`, but the running variance follows the biased one of the batch. */
export function takeBiasedStatistics(norm: BatchNormParameters, x: Tensor4D, mode: Mode): BatchStatistics {
  requireVariance(norm, x);
  const { mean, variance } = currentKernels().batchStatistics(x);
  const { kept } = runningStatistics(norm, mode) ?? { kept: 1 };
  if (kept < 1) {
    for (const [parameter, value] of [
      [norm.runningMean, mean],
      [norm.runningVariance, variance],
    ] as const) {
      parameter.assign(tidy(() => add(mul(parameter.value, kept), mul(value, 1 - kept))));
    }
  }
  return { mean, variance };
}

export function disposeStatistics({ mean, variance }: BatchStatistics): void {
  dispose([mean, variance]);
}

/** Adds the wanted gradients of scale and shift to `gradients`, and disposes the others. */
export function keepNormGradients(
  norm: BatchNormParameters,
  { dScale, dShift }: Pick<BatchNormGradient, 'dScale' | 'dShift'>,
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
