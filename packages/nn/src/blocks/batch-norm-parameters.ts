import { type Initializer, LocalgradError, type Mode, type Parameter, type ParameterScope } from '@localgrad/core';
import type { BatchStatistics, MovedStatistics, Normalization, RunningStatistics } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { ones, zeros } from '../random/initializers.js';
import { vectorOf } from './parameter-values.js';

/** Scale, shift and running statistics of one batch norm, by PyTorch's names. */
export interface BatchNormParameters {
  readonly channels: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly scale: Parameter;
  readonly shift: Parameter;
  readonly runningMean: Parameter;
  readonly runningVariance: Parameter;
}

/** The default epsilon and momentum are PyTorch's; scales start at 1. */
export function createBatchNorm(
  scope: ParameterScope,
  channels: number,
  options: {
    readonly epsilon?: number;
    readonly momentum?: number;
    readonly scaleInitializer?: Initializer | undefined;
  } = {},
): BatchNormParameters {
  const { epsilon = 1e-5, momentum = 0.1, scaleInitializer = ones } = options;
  return {
    channels,
    epsilon,
    momentum,
    scale: scope.parameter('weight', [channels], scaleInitializer),
    shift: scope.parameter('bias', [channels], zeros),
    runningMean: scope.parameter('running_mean', [channels], zeros, 'statistic'),
    runningVariance: scope.parameter('running_var', [channels], ones, 'statistic'),
  };
}

/** Normalizes by the given batch statistics, or else by the running ones. Borrows everything. */
export function normalization(norm: BatchNormParameters, statistics?: BatchStatistics): Normalization {
  return {
    mean: statistics?.mean ?? vectorOf(norm.runningMean),
    variance: statistics?.variance ?? vectorOf(norm.runningVariance),
    epsilon: norm.epsilon,
    scale: vectorOf(norm.scale),
    shift: vectorOf(norm.shift),
  };
}

/** One value has no variance: normalized, it is 0, or rounding noise. PyTorch throws here as well. @throws LocalgradError `invalid-data` */
export function requireVariance(norm: BatchNormParameters, { shape }: Tensor4D): void {
  const [batch, height, width] = shape;
  if (batch * height * width > 1) return;
  throw new LocalgradError(
    'invalid-data',
    `Batch norm '${norm.scale.name}' cannot be trained on a batch of one image, whose map is 1×1: one value per channel has no variance. Batches and micro-batches need at least two images, also the last batch of an epoch, which holds what is left: change the batch size or the number of training images.`,
    { parameter: norm.scale.name, shape },
  );
}

/**
 * The running statistics that a forward pass moves; undefined if it moves none. n updates by one batch have a closed form:
 * r ← kⁿ·r + (1 − kⁿ)·s with k = 1 − momentum.
 */
export function runningStatistics(norm: BatchNormParameters, mode: Mode): RunningStatistics | undefined {
  if (mode.statisticsUpdates === 0) return undefined;
  return {
    mean: vectorOf(norm.runningMean),
    variance: vectorOf(norm.runningVariance),
    kept: (1 - norm.momentum) ** mode.statisticsUpdates,
  };
}

export function assignRunning(norm: BatchNormParameters, { running }: Pick<MovedStatistics, 'running'>): void {
  if (running === undefined) return;
  norm.runningMean.assign(running.mean);
  norm.runningVariance.assign(running.variance);
}

/** Bytes of one layer's batch statistics, or of its two gradients. */
export function vectorPairBytes(channels: number): number {
  return 2 * 4 * channels;
}
