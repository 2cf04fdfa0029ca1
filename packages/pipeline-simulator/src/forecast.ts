import type { Machines, ModuleCost } from './machines.js';
import { type Stage, total } from './stages.js';

/** How a network is divided among machines. */
export type Strategy = 'localPipeline' | 'dataParallel' | 'gpipe' | 'oneForwardOneBackward';

/** Predicted training with one strategy. */
export interface Forecast {
  readonly strategy: Strategy;
  /** Batches per second, once the pipeline is full. */
  readonly batchesPerSecond: number;
  /** Machines that have work: a pipeline cannot use more than there are modules. */
  readonly workers: number;
  /** Number of modules of each machine. */
  readonly modules: readonly number[];
  /** The machine with the longest computation per batch. */
  readonly slowest: { readonly worker: number; readonly seconds: number };
  /** Fraction of the time that each machine computes. */
  readonly utilization: readonly number[];
  /** Bytes that all machines send for each batch. */
  readonly sentBytes: number;
  /** Bytes of weights, optimizer state, gradients, activations and queues on each machine. */
  readonly memoryBytes: readonly number[];
}

interface Measured {
  readonly strategy: Strategy;
  readonly stages: readonly Stage[];
  readonly batchesPerSecond: number;
  readonly sentBytes: number;
  readonly memoryBytes: readonly number[];
}

/** Completes a forecast. @param secondsOf computation of a stage for one batch */
export function forecastOf(measured: Measured, secondsOf: (stage: Stage, worker: number) => number): Forecast {
  const { stages, batchesPerSecond, ...rest } = measured;
  const seconds = stages.map(secondsOf);
  const longest = Math.max(...seconds);
  return {
    ...rest,
    batchesPerSecond,
    workers: stages.length,
    modules: stages.map(({ length }) => length),
    slowest: { worker: seconds.indexOf(longest), seconds: longest },
    utilization: seconds.map((busy) => busy * batchesPerSecond),
  };
}

/** Forward pass, backward pass and update, without local losses. */
export function endToEndSeconds({ forwardSeconds, backwardSeconds, updateSeconds }: ModuleCost): number {
  return forwardSeconds + backwardSeconds + updateSeconds;
}

/** Weights, gradients and optimizer state without local losses. */
export function endToEndBytes(stage: Stage): number {
  return total(stage, ({ weightBytes, stateBytes }) => 2 * weightBytes + stateBytes);
}

/** Number of machines that a pipeline uses. */
export function usedWorkers(modules: readonly ModuleCost[], { workers }: Machines): number {
  return Math.min(workers, modules.length);
}
