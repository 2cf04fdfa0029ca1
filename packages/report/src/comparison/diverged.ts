import type { FinishedRun } from '@localgrad/experiments';

/**
 * Whether the network of a finished run is unusable. Summaries without a status are judged by their last test loss, which
 * JSON stores as null if it is not a finite number.
 */
export function isDiverged({ summary }: FinishedRun): boolean {
  const { status } = summary;
  if (status !== undefined) return status === 'diverged';
  const testLoss: unknown = summary.epochs.at(-1)?.testLoss;
  return testLoss !== undefined && !Number.isFinite(testLoss);
}
