import { hashOf, type RetryLimits, type RunStatus } from '@localgrad/runs';
import type { Sweep } from './sweep-folder.js';

/** Status of a run in its sweep. `skipped`: another value of `tune` was chosen, so that it is not needed. */
export type TaskStatus = RunStatus | 'skipped';

/** Whether no worker will work on a run any more: it is finished, was stopped early or skipped, or has failed for good. */
export function isEnded<Status extends TaskStatus>(
  status: Status,
): status is Status & ('finished' | 'stopped' | 'skipped' | 'failed') {
  return status === 'finished' || status === 'stopped' || status === 'skipped' || status === 'failed';
}

/** What ends the runs of a sweep apart from their last epoch. */
export function limitsOf({ retries, earlyStopping }: Pick<Sweep, 'retries' | 'earlyStopping'>): RetryLimits {
  return earlyStopping === null ? { retries } : { retries, stopRule: hashOf(earlyStopping) };
}
