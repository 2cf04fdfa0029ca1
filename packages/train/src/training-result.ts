import type { RecordingStatus } from '@localgrad/kernels';
import type { EpochRecord } from './events.js';
import type { RunTotals } from './run-totals.js';

/** Result of a completed run. */
export interface TrainingResult extends RunTotals {
  /** Records of all epochs. */
  readonly epochs: readonly EpochRecord[];
  /** How steps ran; present on backends that record steps, unless there were too few steps to record one. */
  readonly recording?: RecordingStatus;
}
