import { bestRecord, isEvaluated } from './evaluation-records.js';
import { accuracyMetric, type Metric, metricValue } from './metric.js';
import type { RunTotals } from './run-totals.js';
import type { TrainingResult } from './training-result.js';

/** What a run has reached by one metric; null where it was not measured. */
export interface MetricResults {
  /** The metric that was measured. */
  readonly metric: Metric;
  /** On test images, in the last evaluation. */
  readonly test: number | null;
  /** The best of all evaluations on test images that did not diverge. */
  readonly bestTest: number | null;
  /** On validation images, in the last evaluation. */
  readonly validation: number | null;
  /** The epoch that validation images choose; null without any. */
  readonly best: ChosenEpoch | null;
}

/** An epoch that validation images chose by a metric. */
export interface ChosenEpoch {
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  /** The metric on the validation images. */
  readonly value: number;
  /** The metric on the test images; null without any. */
  readonly test: number | null;
}

/**
 * What a run has reached.
 *
 * @param metric default: the one by which its epochs were chosen
 */
export function resultsOf(
  run: Pick<RunTotals, 'metric' | 'testAccuracy' | 'bestTestAccuracy' | 'validation'> & Pick<TrainingResult, 'epochs'>,
  metric: Metric = run.metric ?? accuracyMetric,
): MetricResults {
  if (metric.name === accuracyMetric.name && run.metric === undefined) return accuraciesIn(run, metric);
  const { epochs } = run;
  const last = epochs.findLast(isEvaluated) ?? {};
  const best = bestRecord(epochs, 'validation', metric);
  return {
    metric,
    test: metricValue(last, 'test', metric) ?? null,
    bestTest: bestRecord(epochs, 'test', metric)?.value ?? null,
    validation: metricValue(last, 'validation', metric) ?? null,
    best:
      best === undefined
        ? null
        : { epoch: best.record.epoch, value: best.value, test: metricValue(best.record, 'test', metric) ?? null },
  };
}

/** As the run sums them up: summaries of earlier versions have no metrics in their epochs. */
function accuraciesIn(
  { testAccuracy, bestTestAccuracy, validation }: Pick<RunTotals, 'testAccuracy' | 'bestTestAccuracy' | 'validation'>,
  metric: Metric,
): MetricResults {
  const { accuracy = null, best = null } = validation ?? {};
  return {
    metric,
    test: testAccuracy,
    bestTest: bestTestAccuracy,
    validation: accuracy,
    best:
      best === null || best.accuracy === null
        ? null
        : { epoch: best.epoch, value: best.accuracy, test: best.testAccuracy },
  };
}
