import { bytesOf, LocalgradError, type Optimizer, type Shape3, type Span } from '@localgrad/core';
import {
  asynchronousPlacement,
  type Crossing,
  checkDivisible,
  checkOptimizer,
  crossingsOf,
  describeParts,
} from '@localgrad/pipeline';
import { type ChosenPlacement, choosePlacement, type DividedRun, type PlacementBasis } from './choose-placement.js';
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
  /** Measured seconds of a step, if the modules were divided by them. */
  readonly seconds?: number;
}

/** How a plan can be divided among workers. */
export interface ExplainedPipeline {
  readonly cuts: readonly ExplainedCut[];
  /** What the modules are divided by; null if the plan cannot be divided as requested. */
  readonly basis: PlacementBasis | null;
  /** Empty if the plan cannot be divided as requested. */
  readonly workers: readonly ExplainedWorker[];
  /** Why the plan cannot be divided as requested; null if it can. */
  readonly problem: string | null;
  /** Present if the workers do not wait for each other. */
  readonly isAsynchronous?: true;
  /** Predicted training on these machines, if they are given, the plan can be divided, and workers wait for each other. */
  readonly forecast?: PipelineForecast;
}

/** A plan that may be divided, and what its workers and machines are. */
export interface PipelineSetting extends Omit<DividedRun, 'config'> {
  readonly config: Omit<DividedRun['config'], 'workers'> & { readonly workers?: number | undefined };
  readonly optimizer: Optimizer;
  readonly machines?: ForecastMachines | undefined;
}

/** Undefined if the config has one worker. Uses times that were measured before, and measures none. */
export async function explainPipeline(setting: PipelineSetting): Promise<ExplainedPipeline | undefined> {
  const { compiled, optimizer, machines } = setting;
  const { workers = 1, placement, asynchronous = 'none', batch, accumulate = 1 } = setting.config;
  if (!isPipelined({ workers, placement })) return undefined;
  const cuts = crossingsOf(compiled).map((crossing) => ({
    ...crossing,
    forwardBytes: forwardBytes(crossing, compiled.network.imageShape, batch),
    backwardBytes: crossing.cotangents * bytesOf(crossing.activation, batch),
    followedBytes: followedBytes(crossing),
  }));
  const isAsynchronous = asynchronous !== 'none';
  const kind = isAsynchronous ? { isAsynchronous: true as const } : {};
  const chosen = await divide({ ...setting, config: { ...setting.config, workers } }, isAsynchronous);
  if (typeof chosen === 'string') return { cuts, basis: null, workers: [], problem: chosen, ...kind };
  const { placement: groups, basis, seconds = [] } = chosen;
  const parts = describeParts(compiled, groups, batch, { optimizer, accumulate });
  return {
    cuts,
    basis,
    workers: parts.map(({ worker, range, work, predictedPeakBytes }, index) => {
      const measured = seconds[index];
      return {
        worker,
        modules: range,
        work,
        predictedPeakBytes,
        ...(measured === undefined ? {} : { seconds: measured }),
      };
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

/** The groups of modules, or why there are none. Workers that do not wait for each other have equal predicted work. */
async function divide(run: DividedRun, isAsynchronous: boolean): Promise<ChosenPlacement | string> {
  const { workers, placement } = run.config;
  try {
    if (isAsynchronous) {
      const groups = asynchronousPlacement(run.compiled, placement ?? workers);
      checkOptimizer(run.optimizer, groups.length);
      return { placement: groups, basis: placement === undefined ? 'work' : 'given' };
    }
    const chosen = await choosePlacement(run);
    checkDivisible(run.compiled, chosen.placement);
    return chosen;
  } catch (error) {
    if (LocalgradError.isInstance(error) && error.code === 'invalid-option') {
      return error.message;
    }
    throw error;
  }
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
