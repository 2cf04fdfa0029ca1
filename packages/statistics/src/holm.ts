import { requireOption } from '@localgrad/core';

/**
 * p values adjusted for being one family: the chance that any true hypothesis is rejected stays below the level at which
 * they are read (Holm 1979, "A simple sequentially rejective multiple test procedure"). In the order given; at most 1.
 *
 * @param pValues in [0, 1]
 * @throws LocalgradError `invalid-option`
 */
export function holm(pValues: readonly number[]): number[] {
  for (const p of pValues) requireOption(p >= 0 && p <= 1, 'holm', 'pValues', p, 'numbers from 0 to 1');
  const ascending = pValues.map((p, index) => ({ p, index })).sort((one, other) => one.p - other.p);
  const adjusted = new Array<number>(pValues.length);
  let highest = 0;
  for (const [rank, { p, index }] of ascending.entries()) {
    highest = Math.max(highest, Math.min(1, p * (pValues.length - rank)));
    adjusted[index] = highest;
  }
  return adjusted;
}
