import { bytesOf, LocalgradError, type Optimizer, type Shape3, type Span } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import {
  type Crossing,
  checkDivisible,
  crossingsOf,
  describeParts,
  type Placement,
  placementOf,
} from '@localgrad/pipeline';
import type { RunConfig } from '../config/run-config.js';
import { isPipelined } from './run-pipeline.js';

/** What crosses a cut between two modules in a step. */
export interface ExplainedCut extends Crossing {
  /** Bytes of activations and targets that cross forward in a step. */
  readonly forwardBytes: number;
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
}

interface PipelineSetting extends Partial<Pick<RunConfig, 'workers' | 'placement'>> {
  readonly batch: number;
  readonly accumulate: number;
  readonly optimizer: Optimizer;
}

/** Undefined if the config has one worker. */
export function explainPipeline(
  compiled: CompiledPlan,
  { workers = 1, placement, batch, accumulate, optimizer }: PipelineSetting,
): ExplainedPipeline | undefined {
  if (!isPipelined({ workers, placement })) return undefined;
  const cuts = crossingsOf(compiled).map((crossing) => ({
    ...crossing,
    forwardBytes: forwardBytes(crossing, compiled.network.imageShape, batch),
  }));
  const divided = divide(compiled, placement ?? workers);
  if (typeof divided === 'string') return { cuts, workers: [], problem: divided };
  const parts = describeParts(compiled, divided, batch, { optimizer, accumulate });
  return {
    cuts,
    workers: parts.map(({ worker, range, work, predictedPeakBytes }) => {
      return { worker, modules: range, work, predictedPeakBytes };
    }),
    problem: null,
  };
}

/** The groups of modules, or why there are none. */
function divide(compiled: CompiledPlan, requested: string | number): Placement | string {
  try {
    const placement = placementOf(requested, compiled);
    checkDivisible(compiled, placement);
    return placement;
  } catch (error) {
    if (LocalgradError.isInstance(error) && error.code === 'invalid-option') return error.message;
    throw error;
  }
}

/** Bytes of the activations, of the labels and of the images in [0, 1]; the sizes of other targets are not known. */
function forwardBytes({ activation, targets }: Crossing, imageShape: Shape3, batch: number): number {
  const labels = targets.includes('labels') ? 4 * batch : 0;
  const images = targets.includes('images') ? bytesOf(imageShape, batch) : 0;
  return bytesOf(activation, batch) + labels + images;
}
