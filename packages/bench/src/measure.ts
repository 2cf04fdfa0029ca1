import type { Contestant, StepMeasurement } from './options.js';
import type { MeasuredPhases } from './phase-steps.js';
import type { Progress } from './progress.js';
import { stopIfAsked } from './terminal.js';

export interface Turns {
  readonly warmup: number;
  readonly repeats: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one step of each contestant in turn, so that a machine that becomes slower does so for all. */
export async function takeTurns(
  contestants: readonly Contestant[],
  { warmup, repeats, signal }: Turns,
  progress: Progress,
): Promise<StepMeasurement[][]> {
  const measured: StepMeasurement[][] = contestants.map(() => []);
  for (let turn = 0; turn < warmup + repeats; turn++) {
    for (const [index, contestant] of contestants.entries()) {
      await stopIfAsked(signal);
      const measurement = await contestant.step();
      if (turn >= warmup) measured[index]?.push(measurement);
    }
    progress.done(turn < warmup ? `warm-up ${turn + 1}` : `round ${turn + 1 - warmup}`);
  }
  progress.end();
  return measured;
}

/** Passes a list for the contestants that `measure` creates, and closes them afterwards, also after an error. */
export async function withContestants<Result>(
  measure: (contestants: Contestant[]) => Promise<Result>,
): Promise<Result> {
  const contestants: Contestant[] = [];
  try {
    return await measure(contestants);
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

/** Measured and predicted cost of the steps of one contestant. */
export interface StepCost {
  readonly method: string;
  readonly modules: number;
  readonly stepMs: Spread;
  /** Highest measured peak; null if it cannot be counted. */
  readonly peakBytes: number | null;
  /** Predicted `peakBytes`; null for peers. */
  readonly predictedPeakBytes: number | null;
  /** Forward passes, weight gradients and input gradients, each 1 for the whole backbone. */
  readonly unitsOfWork: number | null;
  /** The phases that were measured, if training has several. */
  readonly phases?: MeasuredPhases;
}

export function costOfSteps(
  { name, modules, predicted, phases }: Contestant,
  steps: readonly StepMeasurement[],
): StepCost {
  return {
    method: name,
    modules,
    stepMs: spreadOf(steps.map(({ milliseconds }) => milliseconds)),
    peakBytes: highest(steps.map(({ peakBytes }) => peakBytes)),
    predictedPeakBytes: predicted?.peakBytes ?? null,
    unitsOfWork: predicted?.unitsOfWork ?? null,
    ...(phases === undefined ? {} : { phases }),
  };
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: median(sorted), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

export function highest(values: readonly (number | null)[]): number | null {
  return values.reduce((most, value) => (value === null ? most : Math.max(most ?? 0, value)), null);
}

/** A ratio; null if a value is missing, or if there is nothing to divide by. */
export function ratioOf(value: number | null | undefined, reference: number | null | undefined): number | null {
  const ratio = (value ?? Number.NaN) / (reference ?? Number.NaN);
  return Number.isFinite(ratio) ? ratio : null;
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}
