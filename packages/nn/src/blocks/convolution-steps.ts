import type { Mode } from '@localgrad/core';
import { type BatchStatistics, currentKernels, type MovedStatistics } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { assignRunning, normalization, requireVariance, runningStatistics } from './batch-norm-parameters.js';
import type { ConvolutionUnit } from './convolution-unit.js';

/** Tensors that a unit's forward pass stores for its backward pass. */
export interface UnitResidual {
  /** The convolution's output. */
  readonly z: Tensor4D;
  readonly statistics: BatchStatistics;
  /** The activation after it, if it is stored. */
  readonly y?: Tensor4D;
}

/** A unit's convolution, with the statistics of its output where the kernels compute them together. */
export interface Convolved {
  readonly z: Tensor4D;
  readonly moved?: MovedStatistics;
}

/**
 * Batch norm after a unit's convolution, with an optional residual and ReLU. Training uses the batch's statistics,
 * updates the running ones, and stores z for the backward pass; evaluation stores nothing and consumes z.
 */
export function normalizeUnit(
  unit: ConvolutionUnit,
  { z, moved: found }: Convolved,
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
  requireVariance(unit.norm, z);
  const running = runningStatistics(unit.norm, mode);
  const forward =
    found === undefined ? kernels.batchNormForward?.(z, normalization(unit.norm), added, relu, running) : undefined;
  const { mean, variance, ...moved } = found ?? forward ?? kernels.batchStatistics(z, running);
  assignRunning(unit.norm, moved);
  const statistics: BatchStatistics = { mean, variance };
  const output = forward?.output ?? kernels.batchNormApply(z, normalization(unit.norm, statistics), added, relu);
  return { residual: { z, statistics }, output };
}

export function filterShape({ weight }: ConvolutionUnit): [number, number, number, number] {
  return weight.shape as [number, number, number, number];
}
