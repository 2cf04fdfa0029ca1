import type { EvaluationResult } from './evaluation.js';
import { accuracyMetric, advantage, type Metric, metricValue } from './metric.js';

/** The images of an evaluation: validation images are for choices, test images for the result. */
export type EvaluationSet = 'validation' | 'test';

/** The fields of an epoch's record that come from evaluations. */
export interface EvaluationRecord {
  /** The metric by which epochs are chosen, unless it is accuracy. */
  readonly metric?: Metric;
  /** Accuracy on the test images, in [0, 1], if the epoch was evaluated and the network is a classifier. */
  readonly testAccuracy?: number;
  /** Loss on the test images, if the epoch was evaluated. */
  readonly testLoss?: number;
  /** All metrics on the test images by name. */
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Accuracy on the validation images, in [0, 1], if there are any and the network is a classifier. */
  readonly validationAccuracy?: number;
  /** Loss on the validation images, if there are any. */
  readonly validationLoss?: number;
  /** All metrics on the validation images by name. */
  readonly validationMetrics?: Readonly<Record<string, number>>;
  /** Present if a metric of an evaluation is not finite. */
  readonly diverged?: true;
}

/** What the validation images say of a run. */
export interface ValidationSummary {
  /** Accuracy of the last evaluation, in [0, 1]; null if the network is not a classifier. */
  readonly accuracy: number | null;
  /**
   * The epoch with the best validation accuracy, or other `metric` of the run, the first of equals; null if no evaluation
   * has it.
   */
  readonly best: BestEpoch | null;
}

/** An epoch that validation images chose. */
export interface BestEpoch {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Its validation accuracy, in [0, 1]; null if the network is not a classifier. */
  readonly accuracy: number | null;
  /** Its test accuracy, which test images did not choose; null without test images, and as above. */
  readonly testAccuracy: number | null;
}

/** What an epoch keeps of its evaluations. */
export function recordOfEvaluations(evaluations: ReadonlyMap<EvaluationSet, EvaluationResult>): EvaluationRecord {
  const fields = [...evaluations].flatMap(([set, { accuracy, loss, metrics }]) => [
    ...(accuracy === null ? [] : [[`${set}Accuracy`, accuracy]]),
    [`${set}Loss`, loss],
    [`${set}Metrics`, metrics],
  ]);
  const isDiverged = [...evaluations.values()].some(({ diverged }) => diverged === true);
  return { ...Object.fromEntries(fields), ...(isDiverged ? { diverged: true } : {}) };
}

/** Whether an epoch has an evaluation, on any images. */
export function isEvaluated({ testLoss, validationLoss }: EvaluationRecord): boolean {
  return testLoss !== undefined || validationLoss !== undefined;
}

export type NumberedRecord = EvaluationRecord & { readonly epoch: number };

/** Last and best test accuracy, and the epoch that validation images choose; the best exclude epochs with non-finite metrics. */
export function accuraciesOf(records: readonly NumberedRecord[]) {
  const evaluated = records.filter(isEvaluated);
  const last = evaluated.at(-1);
  const best = evaluated.flatMap(({ testAccuracy, diverged }) =>
    testAccuracy === undefined || diverged === true ? [] : [testAccuracy],
  );
  const validation = validationOf(records);
  return {
    ...(last?.metric === undefined ? {} : { metric: last.metric }),
    testAccuracy: last?.testAccuracy ?? null,
    bestTestAccuracy: best.length === 0 ? null : Math.max(...best),
    ...(last?.testMetrics === undefined ? {} : { testMetrics: last.testMetrics }),
    ...(validation === undefined ? {} : { validation }),
    ...(last?.diverged === true ? { diverged: true as const } : {}),
  };
}

/** Undefined without validation images. */
function validationOf(records: readonly NumberedRecord[]): ValidationSummary | undefined {
  const last = records.findLast(({ validationLoss }) => validationLoss !== undefined);
  if (last === undefined) return undefined;
  const best = bestRecord(records, 'validation', last.metric ?? accuracyMetric)?.record;
  return {
    accuracy: last.validationAccuracy ?? null,
    best:
      best === undefined
        ? null
        : { epoch: best.epoch, accuracy: best.validationAccuracy ?? null, testAccuracy: best.testAccuracy ?? null },
  };
}

/** The epoch with the best value, the first of equals; undefined if no epoch that did not diverge has one. */
export function bestRecord<Measured extends NumberedRecord>(
  records: readonly Measured[],
  set: EvaluationSet,
  metric: Metric,
): { readonly record: Measured; readonly value: number } | undefined {
  let best: { readonly record: Measured; readonly value: number } | undefined;
  for (const record of records) {
    const value = metricValue(record, set, metric);
    if (value === undefined || record.diverged === true) continue;
    if (best === undefined || advantage(metric, value, best.value) > 0) best = { record, value };
  }
  return best;
}
