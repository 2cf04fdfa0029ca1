import type { ValidationSummary } from './evaluation-records.js';
import type { Metric } from './metric.js';

/** What a run has reached so far, and what it took. */
export interface RunTotals {
  /** The metric by which epochs are chosen, unless it is accuracy. `resultsOf` of `@localgrad/train` reads its values. */
  readonly metric?: Metric;
  /**
   * Accuracy of the plain backbone in the last evaluation, in [0, 1]; null if there was none, or if the network is not a
   * classifier.
   */
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
  /** Number of completed steps, including those before the run was resumed. */
  readonly steps: number;
  /** Number of times the run was resumed from a checkpoint. */
  readonly resumptions: number;
}
