import { type ConditionRow, type Difference, type StudyView, significance } from './condition-rows.js';
import { points, pSentence, signed } from './text/wording.js';

/** A sentence computed from the results, with what it sums up. */
export interface Finding {
  readonly text: string;
  readonly details: readonly string[];
}

/** Is the difference beyond chance? */
export function verdictOf({ p, mean }: Difference): 'higher' | 'lower' | 'open' {
  if (p === null || p >= significance) return 'open';
  return mean > 0 ? 'higher' : 'lower';
}

/** Difference, interval and p value in words. */
export function differenceText({ mean, low, high, p }: Omit<Difference, 'against' | 'hedgesG'>): string {
  const interval = low === null || high === null ? '' : `95 % CI ${signed(low)} to ${signed(high)}, `;
  return `${points(mean)} (${interval}${pSentence(p)})`;
}

/** Rows whose mean is not below the reference's interval. */
export function reaching({ rows, reference, recomputed }: StudyView): ConditionRow[] {
  const low = reference?.last?.low ?? null;
  if (low === null) return [];
  return rows.filter((row) => row !== reference && row !== recomputed && row.last !== null && row.last.mean >= low);
}

/** Of many conditions, the most accurate ones are told. */
export const mostShown = 5;

/** The most accurate of some tested rows, best first. */
export function mostAccurate(rows: readonly ConditionRow[]): ConditionRow[] {
  return [...rows].sort((a, b) => (b.last?.mean ?? 0) - (a.last?.mean ?? 0)).slice(0, mostShown);
}
