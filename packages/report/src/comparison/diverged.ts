import type { FinishedRun } from '@localgrad/experiments';

/**
 * Whether the network of a finished run is unusable: its summary says so, or a loss or the test loss of its last epoch is
 * not a finite number (JSON stores such numbers as null).
 */
export function isDiverged({ summary }: FinishedRun): boolean {
  const status: unknown = Reflect.get(summary, 'status');
  if (status === 'diverged') return true;
  const last = summary.epochs.at(-1);
  if (last === undefined) return false;
  const losses: unknown[] = Object.values(last.losses);
  // A run without a test set has no test loss at all.
  if (last.testLoss !== undefined) losses.push(last.testLoss);
  return !losses.every(Number.isFinite);
}
