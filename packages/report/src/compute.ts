import type { FinishedRun } from '@localgrad/experiments';

/** Multiply-accumulates of a whole run, heads and backward included; null where its config has no batch size. */
export function workOf({ summary }: FinishedRun): number | null {
  const { batch } = summary.config;
  return typeof batch === 'number' ? summary.cost.multiplyAccumulatesPerImage * summary.steps * batch : null;
}

/** The same up to the end of an epoch: all epochs have as many steps. @param position from 0 */
export function workUntil(run: FinishedRun, position: number): number | null {
  const whole = workOf(run);
  return whole === null ? null : (whole * (position + 1)) / run.summary.epochs.length;
}
