import type { FinishedRun } from '@localgrad/experiments';
import { sum } from './sum.js';

/** Multiply-accumulates of a whole run, including heads and backward passes; null if its config has no batch size. */
export function workOf({ summary }: FinishedRun): number | null {
  const { batch } = summary.config;
  return typeof batch === 'number' ? summary.cost.multiplyAccumulatesPerImage * summary.steps * batch : null;
}

/**
 * The same up to the end of an epoch. All epochs have the same number of steps, but not the same work where training has phases.
 *
 * @param position index of the epoch
 */
export function workUntil(run: FinishedRun, position: number): number | null {
  const whole = workOf(run);
  if (whole === null) return null;
  const { epochs, cost } = run.summary;
  const works = epochs.map((epoch) => epoch.multiplyAccumulatesPerImage ?? cost.multiplyAccumulatesPerImage);
  return whole * (sum(works.slice(0, position + 1)) / sum(works));
}
