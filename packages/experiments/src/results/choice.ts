import type { JsonObject } from '@localgrad/core';
import { accuracyMetric, bestOf, type EvaluationSet, type Metric, resultsOf } from '@localgrad/train';
import type { FinishedRun } from './study.js';

type Run = Pick<FinishedRun, 'summary'>;

/**
 * The images by which a study chooses epochs and values: validation images, if all of its conditions hold some out, since
 * accuracies on different images cannot be compared; else test images, which biases what is chosen upward.
 */
export function selectionOf(conditions: readonly { readonly config: JsonObject }[]): EvaluationSet {
  const areHeldOut = conditions.length > 0 && conditions.every(({ config }) => (config.validation ?? null) !== null);
  return areHeldOut ? 'validation' : 'test';
}

/** The metrics by which runs choose their epochs, each once. */
export function metricsOf(runs: readonly Run[]): Metric[] {
  const byName = new Map(runs.map(({ summary: { metric = accuracyMetric } }) => [metric.name, metric] as const));
  return [...byName.values()];
}

/** The metric by which runs are compared: the one by which all of them choose their epochs, or accuracy if they differ. */
export function commonMetric(runs: readonly Run[]): Metric {
  const [metric = accuracyMetric, another] = metricsOf(runs);
  return another === undefined ? metric : accuracyMetric;
}

/**
 * Values of a metric after the last epoch on the images of the selection, without diverged runs, in the order of the runs.
 *
 * @param metric default: the one that the runs have in common
 */
export function lastValues(
  runs: readonly Run[],
  selection: EvaluationSet,
  metric: Metric = commonMetric(runs),
): number[] {
  return runs.flatMap(({ summary }) => {
    const value = resultsOf(summary, metric)[selection];
    return summary.status === 'diverged' || value === null ? [] : [value];
  });
}

/**
 * The candidate with the best mean after the last epoch, of the metric that all runs have in common, the first of equal ones;
 * 0 if none has a value.
 *
 * @param candidates for each, the runs that make the choice
 */
export function bestCandidate(candidates: readonly (readonly Run[])[], selection: EvaluationSet): number {
  const metric = commonMetric(candidates.flat());
  const means = candidates.map((runs) => {
    const values = lastValues(runs, selection, metric);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
  const best = bestOf(
    metric,
    means.filter((mean) => !Number.isNaN(mean)),
  );
  if (best === null) return 0;
  // Equal means of seeds in another order differ by rounding.
  return means.findIndex((mean) => Math.abs(mean - best) <= 4 * Number.EPSILON * Math.abs(best));
}
