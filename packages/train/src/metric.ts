import type { EvaluationSet } from './evaluation-records.js';

/** A metric by which epochs, checkpoints and runs are chosen. */
export interface Metric {
  /** As the network's head names it: `accuracy`, `meanIoU`, `loss`, … */
  readonly name: string;
  /** Whether lower values are better, as for losses and errors. */
  readonly lowerIsBetter: boolean;
}

/** The metric of records that name no other one. */
export const accuracyMetric: Metric = { name: 'accuracy', lowerIsBetter: false };

/** The part of a record, also of a stored one, from which a metric is read. */
export type MeasuredRecord = {
  /** The metric that the record names; absent for accuracy. */
  readonly metric?: Metric | undefined;
} & { readonly [Field in `${EvaluationSet}Accuracy`]?: number | null | undefined } & {
  readonly [Field in `${EvaluationSet}Metrics`]?: Readonly<Record<string, unknown>> | undefined;
};

/** A metric of an evaluation; undefined if it was not measured or is not finite. */
export function metricValue(record: MeasuredRecord, set: EvaluationSet, { name }: Metric): number | undefined {
  const value = name === accuracyMetric.name ? record[`${set}Accuracy`] : record[`${set}Metrics`]?.[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/**
 * The value by which an epoch is chosen: the metric that its record names, by default accuracy, on validation images, or on test
 * images if there are no others.
 */
export function choiceValue(record: MeasuredRecord): number | undefined {
  const { metric = accuracyMetric } = record;
  return metricValue(record, 'validation', metric) ?? metricValue(record, 'test', metric);
}

/** How much better one value is than another; negative if it is worse. */
export function advantage({ lowerIsBetter }: Metric, value: number, other: number): number {
  return lowerIsBetter ? other - value : value - other;
}

/** The best value; null without any. */
export function bestOf(metric: Metric, values: readonly number[]): number | null {
  return values.length === 0
    ? null
    : values.reduce((best, value) => (advantage(metric, value, best) > 0 ? value : best));
}

/** Metrics in [0, 1] that are shown in per cent. */
const fractions: readonly string[] = ['accuracy', 'top5', 'meanAccuracy', 'meanIoU'];

/** Whether values are fractions, which are shown in per cent. */
export function isFraction({ name }: Pick<Metric, 'name'>): boolean {
  return fractions.includes(name);
}

/** A value as text: fractions in per cent, others with four digits. @param decimals of per cents */
export function formatMetric(metric: Pick<Metric, 'name'>, value: number, decimals = 2): string {
  return isFraction(metric) ? `${(100 * value).toFixed(decimals)} %` : value.toPrecision(4);
}
