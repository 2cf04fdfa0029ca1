import { roundedDifference } from '@localgrad/statistics';
import { advantage, type Metric } from '@localgrad/train';
import { paretoFront } from './charts/pareto.js';
import { comparePairs } from './comparison/compare-conditions.js';
import type { ConditionRow } from './condition-rows.js';
import { confidence, significance } from './estimates.js';

/** Where conditions stand with the compared metric on one axis and a cost on the other. */
export interface Frontier {
  /** Pareto front of the means, from the lowest cost to the highest. */
  readonly front: readonly ConditionRow[];
  /** On the front with confidence: significantly better than every condition that costs no more. */
  readonly certain: readonly ConditionRow[];
  /** Not on it with confidence: some condition that costs no more is significantly better, the best such one. */
  readonly beaten: readonly { readonly row: ConditionRow; readonly by: ConditionRow }[];
  /** Number of tests, over which p values are adjusted. */
  readonly tests: number;
}

/**
 * The Pareto front of the mean on test images after the last epoch and a cost, and what of it is certain: Welch's tests of every
 * condition against all that cost no more, adjusted by Holm's method over all of these pairs.
 */
export function frontierOf(
  rows: readonly ConditionRow[],
  amountOf: (row: ConditionRow) => number | null,
  metric: Metric,
): Frontier {
  const points = rows.flatMap((row) => {
    const x = amountOf(row);
    return x === null || row.last === null ? [] : [{ row, x, y: advantage(metric, row.last.mean, 0) }];
  });
  const pairs = points.flatMap((point) =>
    points
      .filter((other) => other !== point && roundedDifference(other.x, point.x) <= 0)
      .map((other) => ({ row: point.row, other: other.row })),
  );
  const compared = comparePairs(
    pairs.map(({ row, other }) => [row.condition, other.condition]),
    'testAccuracy',
    { confidence, metric },
  );
  const verdicts = pairs.map((pair, index) => {
    const { adjustedP = null, welch = null } = compared[index] ?? {};
    const isClear = adjustedP !== null && adjustedP < significance && welch !== null;
    return { ...pair, sign: isClear ? Math.sign(advantage(metric, welch.difference, 0)) : 0 };
  });
  const of = (row: ConditionRow) => verdicts.filter((verdict) => verdict.row === row);
  return {
    front: paretoFront(points).map(({ row }) => row),
    certain: points.map(({ row }) => row).filter((row) => of(row).every(({ sign }) => sign > 0)),
    beaten: points.flatMap(({ row }) => {
      const better = of(row).filter(({ sign }) => sign < 0);
      const [by] = better
        .map(({ other }) => other)
        .sort((a, b) => advantage(metric, b.last?.mean ?? 0, a.last?.mean ?? 0));
      return by === undefined ? [] : [{ row, by }];
    }),
    tests: compared.filter(({ adjustedP }) => adjustedP !== null).length,
  };
}
