import type { JsonObject } from '@localgrad/core';
import type { TrainingResult } from '@localgrad/train';

/** An objective of the run's plan, as `localgrad explain` has it. */
export interface SummaryObjective {
  readonly id: string;
  readonly role: 'independent' | 'cascaded' | 'final';
  /** First and last module that its gradient reaches. */
  readonly span: readonly [from: number, to: number];
  /** At the end of training; not in runs of versions that did not write it. */
  readonly weight?: number;
}

/** What a plan costs, before a step is run. */
export interface SummaryCost {
  /** Weights of the backbone alone: what is left after training. */
  readonly backboneParameters: number;
  /** With those of auxiliary networks. */
  readonly trainedParameters: number;
  /** In forwards of the whole backbone; backprop: 3. Heads included. */
  readonly unitsOfWork: number;
  /** Multiply-accumulates of one training step for one image, heads and backward included. */
  readonly multiplyAccumulatesPerImage: number;
  /** Bytes at the worst moment of a step: weights, optimizer state and batch included. */
  readonly predictedPeakBytes: number;
}

/**
 * What is known of a finished run: `summary.json` in its folder. Times are over all attempts, without what was lost to
 * interruptions.
 */
export interface RunSummary extends TrainingResult {
  readonly formatVersion: 1;
  /**
   * `diverged`: training came to its end, but the network is not a result, since its test loss or one of its tensors is NaN
   * or infinite. Such a run is not repeated, and belongs in no mean. Absent in summaries of versions that did not write it:
   * `isDiverged` covers them.
   */
  readonly status?: 'finished' | 'diverged';
  /** Why the run counts as diverged; null otherwise. */
  readonly divergence?: string | null;
  /** Hash of all that the result depends on; `identity.json` holds the parts. */
  readonly runId: string;
  readonly config: JsonObject;
  /** TensorFlow.js backend that the run was on, e.g. `wasm`. */
  readonly backend: string;
  readonly objectives: readonly SummaryObjective[];
  readonly cost: SummaryCost;
  /** Test accuracy of a linear probe on each module's output, in [0, 1]; null where none was asked for, or it failed. */
  readonly probes: readonly number[] | null;
}

/** Whether a run diverged. Summaries of earlier versions have no status; in them the test loss of such a run is null. */
export function isDiverged({ status, epochs }: Partial<Pick<RunSummary, 'status' | 'epochs'>>): boolean {
  if (status !== undefined) return status === 'diverged';
  const loss: unknown = epochs?.at(-1)?.testLoss;
  return loss === null;
}

/** What a run depends on besides its config: `environment.json` in its folder. */
export interface RunEnvironment {
  readonly localgrad: string;
  readonly commit: string | null;
  readonly date: string;
  readonly [key: string]: unknown;
}
