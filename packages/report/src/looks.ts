import type { Look } from './charts/look.js';
import { type ConditionRow, isEndToEnd } from './condition-rows.js';

/** Number of colors in the palette. */
const colors = 6;

/**
 * Assigns looks so that each color has one meaning: each value of the compared factor has its own, end-to-end rows share the
 * neutral one, and rows without a value of the factor use the remaining colors.
 *
 * @param factorOf value of the compared factor; undefined if the row has none
 */
export function looksOf(
  rows: readonly ConditionRow[],
  factorOf: (row: ConditionRow) => string | undefined,
): ReadonlyMap<ConditionRow, Look> {
  const isNeutral = (row: ConditionRow) => row.isReference || (isEndToEnd(row) && factorOf(row) === undefined);
  const first = rows.some(isNeutral) ? 1 : 0;
  const values = [...new Set(rows.filter((row) => !isNeutral(row)).map(factorOf))].filter(
    (value) => value !== undefined,
  );
  const own = colors - first;
  const unused = Array.from({ length: Math.max(0, own - values.length) }, (_, at) => first + values.length + at);
  const free = unused.length === 0 ? [colors - 1] : unused;
  let neutral = 1;
  // If values use all colors, other rows differ at least in their pattern.
  let beside = unused.length === 0 ? 1 : 0;
  return new Map(
    rows.map((row): [ConditionRow, Look] => {
      if (row.isReference) return [row, { color: 0, shape: 'square', dash: 1 }];
      if (isNeutral(row)) {
        neutral += 1;
        return [row, { color: 0, shape: 'square', dash: neutral }];
      }
      const shape = isEndToEnd(row) ? 'square' : 'circle';
      const value = factorOf(row);
      if (value !== undefined) {
        const place = values.indexOf(value);
        return [row, { color: first + (place % own), shape, dash: place < own ? 0 : 1 + Math.floor(place / own) }];
      }
      const place = beside;
      beside += 1;
      const color = free[place % free.length] as number;
      return [row, { color, shape: 'diamond', dash: place < free.length ? 0 : 1 + Math.floor(place / free.length) }];
    }),
  );
}
