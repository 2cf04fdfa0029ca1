import { type ConditionRow, type Difference, labelsBeside, type StudyView, significance } from './condition-rows.js';
import { points, pSentence, signed } from './text/wording.js';

/** A sentence computed from the results, with what it sums up. */
export interface Finding {
  readonly text: string;
  readonly details: readonly string[];
}

/** Is the difference beyond chance? */
export function verdictOf({ p, mean }: Pick<Difference, 'p' | 'mean'>): 'higher' | 'lower' | 'open' {
  if (p === null || p >= significance) return 'open';
  return mean > 0 ? 'higher' : 'lower';
}

/** Difference, interval and p value in words. */
export function differenceText({ mean, low, high, p }: Omit<Difference, 'against' | 'hedgesG'>): string {
  if (p === null && low === null) return `${points(mean)} (not tested)`;
  const interval = low === null || high === null ? '' : `95 % CI ${signed(low)} to ${signed(high)}, `;
  return `${points(mean)} (${interval}${pSentence(p)})`;
}

/** Of many conditions, the most accurate ones are told. */
export const mostShown = 5;

/** Tested rows, the most accurate one first. */
export function mostAccurate(rows: readonly ConditionRow[]): ConditionRow[] {
  return [...rows].sort((a, b) => (b.last?.mean ?? 0) - (a.last?.mean ?? 0));
}

/** Values of the compared factor, the baseline too, in the order of the study. */
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

/** What a condition has besides the compared factor. */
export function settingOf(row: ConditionRow, { study }: StudyView): string {
  return labelsBeside(row, study, study.compare?.factor ?? null) || row.condition.name;
}
