import type { FinishedRun } from '@localgrad/experiments';

/** Whether the network of a finished run is unusable. */
export function isDiverged({ summary }: FinishedRun): boolean {
  return summary.status === 'diverged';
}
