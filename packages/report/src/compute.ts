import type { FinishedRun } from '@localgrad/experiments';

/** Multiply-accumulates of a whole run, including heads and backward passes; null if its config has no batch size. */
export function workOf({ summary }: FinishedRun): number | null {
  const { batch } = summary.config;
  return typeof batch === 'number' ? summary.cost.multiplyAccumulatesPerImage * summary.steps * batch : null;
}

/** The same up to the end of an epoch. All epochs have the same number of steps. @param position index of the epoch */
export function workUntil(run: FinishedRun, position: number): number | null {
  const whole = workOf(run);
  return whole === null ? null : (whole * (position + 1)) / run.summary.epochs.length;
}
