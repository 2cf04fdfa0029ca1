import { bytesOf, type Optimizer, type Shape3, type Span } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import {
  asynchronousPlacement,
  type Crossing,
  checkDivisible,
  crossingsOf,
  describeParts,
  type Placement,
  placementOf,
} from '@localgrad/pipeline';
import type { RunConfig } from '../config/run-config.js';
import { divided } from './divided.js';
import { type ForecastMachines, forecastPipeline, type PipelineForecast } from './forecast.js';
import { isPipelined } from './is-pipelined.js';

/** What crosses a cut between two modules in a step. */
export interface ExplainedCut extends Crossing {
  /** Bytes of activations and targets that cross forward in a step. */
  readonly forwardBytes: number;
  /** Bytes of gradients that cross backward in a step. */
  readonly backwardBytes: number;
  /** Bytes of the weights that averages on the other side follow, in a step. */
  readonly followedBytes: number;
}

/** One worker of a pipeline. */
export interface ExplainedWorker {
  readonly worker: string;
  /** First and last module. */
  readonly modules: Span;
  /** Fraction of the predicted work of a step, heads included. */
  readonly work: number;
  readonly predictedPeakBytes: number;
}

/** How a plan can be divided among workers. */
export interface ExplainedPipeline {
  readonly cuts: readonly ExplainedCut[];
  /** Empty if the plan cannot be divided as requested. */
  readonly workers: readonly ExplainedWorker[];
  /** Why the plan cannot be divided as requested; null if it can. */
  readonly problem: string | null;
  /** Present if the workers do not wait for each other. */
  readonly isAsynchronous?: true;
  /** Predicted training on these machines, if they are given, the plan can be divided, and workers wait for each other. */
  readonly forecast?: PipelineForecast;
}

interface PipelineSetting extends Partial<Pick<RunConfig, 'workers' | 'placement' | 'asynchronous'>> {
  readonly batch: number;
  readonly accumulate: number;
  readonly optimizer: Optimizer;
  readonly machines?: ForecastMachines | undefined;
}

/** Undefined if the config has one worker. */
export function explainPipeline(
  compiled: CompiledPlan,
  { workers = 1, placement, asynchronous = 'none', batch, accumulate, optimizer, machines }: PipelineSetting,
): ExplainedPipeline | undefined {
  if (!isPipelined({ workers, placement })) return undefined;
  const cuts = crossingsOf(compiled).map((crossing) => ({
    ...crossing,
    forwardBytes: forwardBytes(crossing, compiled.network.imageShape, batch),
    backwardBytes: crossing.cotangents * bytesOf(crossing.activation, batch),
    followedBytes: followedBytes(crossing),
  }));
  const isAsynchronous = asynchronous !== 'none';
  const kind = isAsynchronous ? { isAsynchronous: true as const } : {};
  const requested = placement ?? workers;
  const groups = divided(() => (isAsynchronous ? asynchronousPlacement : divide)(compiled, requested));
  if (typeof groups === 'string') return { cuts, workers: [], problem: groups, ...kind };
  const parts = describeParts(compiled, groups, batch, { optimizer, accumulate });
  return {
    cuts,
    workers: parts.map(({ worker, range, work, predictedPeakBytes }) => {
      return { worker, modules: range, work, predictedPeakBytes };
    }),
    problem: null,
    ...kind,
    ...(machines === undefined || isAsynchronous
      ? {}
      : {
          forecast: forecastPipeline(compiled, groups, {
            ...{ batch, optimizer, machines },
            peaks: parts.map(({ predictedPeakBytes }) => predictedPeakBytes),
          }),
        }),
  };
}

function divide(compiled: CompiledPlan, requested: string | number): Placement {
  const placement = placementOf(requested, compiled);
  checkDivisible(compiled, placement);
  return placement;
}

/** Each weight crosses once, no matter how many averages follow it. */
function followedBytes({ followed }: Crossing): number {
  const sizes = new Map(followed.map(({ live, size }) => [live, size]));
  return 4 * [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** Bytes of the activations, of the labels and of the images in [0, 1]; the sizes of other targets are not known. */
function forwardBytes({ activation, targets }: Crossing, imageShape: Shape3, batch: number): number {
  const labels = targets.includes('labels') ? 4 * batch : 0;
  const images = targets.includes('images') ? bytesOf(imageShape, batch) : 0;
  return bytesOf(activation, batch) + labels + images;
}
