import { requireThat } from './sample.js';

/**
 * Adjusts the p values of one family of tests so that the family-wise error rate is controlled (Holm 1979, "A simple
 * sequentially rejective multiple test procedure"). Returns them in the given order, at most 1.
 *
 * @param pValues in [0, 1]
 * @throws RangeError for a p value outside [0, 1]
 */
export function holm(pValues: readonly number[]): number[] {
  for (const p of pValues)
    requireThat(p >= 0 && p <= 1, `holm: 'pValues' contains ${p}; allowed: numbers from 0 to 1.`);
  const ascending = pValues.map((p, index) => ({ p, index })).sort((one, other) => one.p - other.p);
  const adjusted = new Array<number>(pValues.length);
  let highest = 0;
  for (const [rank, { p, index }] of ascending.entries()) {
    highest = Math.max(highest, Math.min(1, p * (pValues.length - rank)));
    adjusted[index] = highest;
  }
  return adjusted;
}
