import type { RecordingStatus } from '@localgrad/kernels';
import type { ValidationSummary } from './evaluation-records.js';
import type { EpochRecord } from './events.js';

/** Result of a completed run. */
export interface TrainingResult {
  /** Accuracy of the plain backbone after the last epoch; null without test batches, or if it is not a classifier. */
  readonly testAccuracy: number | null;
  /** Highest test accuracy of all evaluations that did not diverge; null as above. */
  readonly bestTestAccuracy: number | null;
  /** All metrics of the last evaluation by name. */
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Present with validation batches. */
  readonly validation?: ValidationSummary;
  /** Present if a metric of the last evaluation is not finite. */
  readonly diverged?: true;
  /** Seconds of training steps only. */
  readonly seconds: number;
  /** Seconds including evaluation. */
  readonly totalSeconds: number;
  /** Peak bytes of live tensors during a training step, including weights, optimizer state and batch. */
  readonly peakBytes: number;
  /** Number of steps of the run, including those before it was resumed. */
  readonly steps: number;
  /** Records of all epochs. */
  readonly epochs: readonly EpochRecord[];
  /** Number of times the run was resumed from a checkpoint. */
  readonly resumptions: number;
  /** How steps ran; present on backends that record steps, unless there were too few steps to record one. */
  readonly recording?: RecordingStatus;
}
