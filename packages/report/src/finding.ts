import { advantage } from '@localgrad/train';
import { type ConditionRow, type Difference, labelsBeside, type StudyView } from './condition-rows.js';
import { significance } from './estimates.js';
import type { MetricWords } from './text/metric-words.js';
import { pSentence } from './text/wording.js';

/** A sentence computed from the results, with its details. */
export interface Finding {
  readonly text: string;
  readonly details: readonly string[];
}

/** Direction of a significant difference; `open` if it is not significant. */
export type Verdict = 'better' | 'worse' | 'open';

export function verdictOf({ p, mean }: Pick<Difference, 'p' | 'mean'>, { metric }: MetricWords): Verdict {
  if (p === null || p >= significance) return 'open';
  return advantage(metric, mean, 0) > 0 ? 'better' : 'worse';
}

/** Difference, interval and p value as text. */
export function differenceText(
  { mean, low, high, p }: Omit<Difference, 'against' | 'hedgesG'>,
  { difference, signed }: MetricWords,
): string {
  if (p === null && low === null) return `${difference(mean)} (not tested)`;
  const interval = low === null || high === null ? '' : `95 % CI ${signed(low)} to ${signed(high)}, `;
  return `${difference(mean)} (${interval}${pSentence(p)})`;
}

/** Number of conditions to list, the best first. */
export const mostShown = 5;

/** Rows by the compared metric, the best first; those without a value last. */
export function bestFirst(rows: readonly ConditionRow[], { metric }: MetricWords): ConditionRow[] {
  const worst = metric.lowerIsBetter ? Infinity : -Infinity;
  const meanOf = ({ last }: ConditionRow) => last?.mean ?? worst;
  return [...rows].sort((a, b) => (meanOf(a) === meanOf(b) ? 0 : advantage(metric, meanOf(b), meanOf(a))));
}

/** Values of the compared factor including the baseline, in the order of the study. */
export function valuesOf({ study, rows }: StudyView): string[] {
  const factor = study.compare?.factor;
  if (factor === undefined) return [];
  return [...new Set(rows.flatMap(({ condition }) => condition.labels[factor] ?? []))];
}

/** Conditions by their value of the compared factor. */
export function rowsOf(view: StudyView): { readonly value: string; readonly rows: readonly ConditionRow[] }[] {
  const factor = view.study.compare?.factor ?? '';
  return valuesOf(view).map((value) => ({
    value,
    rows: view.rows.filter(({ condition }) => condition.labels[factor] === value),
  }));
}

/** Labels of a condition except the compared factor; its name if it has no others. */
export function settingOf(row: ConditionRow, { study }: StudyView): string {
  return labelsBeside(row, study, study.compare?.factor ?? null) || row.condition.name;
}
