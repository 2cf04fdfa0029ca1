import { LocalgradError, rejectUnknownKeys, unknownName } from '@localgrad/core';
import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import {
  type DifferenceTest,
  type EffectSize,
  hedgesG,
  holm,
  pairedTest,
  untested,
  welchTest,
} from '@localgrad/statistics';
import { accuracyMetric, type Metric, resultsOf } from '@localgrad/train';
import { isDiverged } from './diverged.js';

/**
 * Accuracy to compare, or another metric that `ComparisonOptions` name: after the last epoch, or the best of all epochs, which is
 * selected on the test set and therefore optimistic.
 */
export type AccuracyMeasure = 'testAccuracy' | 'bestTestAccuracy';

/** Options of comparisons. */
export interface ComparisonOptions {
  /** Level of the intervals of differences, in (0, 1), which are not adjusted. Default 0.95. */
  readonly confidence?: number;
  /** Metric to compare instead of accuracy. */
  readonly metric?: Metric;
}

export const comparisonOptionNames = ['confidence', 'metric'] as const satisfies readonly (keyof ComparisonOptions)[];

/** One condition tested against another; differences are accuracies in [−1, 1] or values of another metric, first minus second. */
export interface ConditionComparison {
  /** Key of the condition in its study. */
  readonly condition: string;
  /** Key of the condition it is compared with. */
  readonly against: string;
  /** Number of runs with this measure on each side. */
  readonly runs: readonly [condition: number, against: number];
  /** Null if one side has no such run. Its p value is null if one side has fewer than two runs or neither varies. */
  readonly welch: DifferenceTest | null;
  /** p value of `welch`, adjusted by Holm's method over the family; null if `welch` has none. */
  readonly adjustedP: number | null;
  /** Null if one side has no run. */
  readonly effect: EffectSize | null;
  /** Seeds of both sides. */
  readonly sharedSeeds: readonly number[];
  /** Test over the shared seeds, not part of the family; null without shared seeds. */
  readonly paired: DifferenceTest | null;
}

/** Three separately adjusted families of tests, in the order of conditions. */
export interface StudyComparisons {
  readonly measure: AccuracyMeasure;
  readonly confidence: number;
  /** By `study.compare`; empty without it. Omits conditions without a match in all other factors. */
  readonly byFactor: readonly ConditionComparison[];
  /** Every other condition against `study.reference`; empty without it. */
  readonly byReference: readonly ConditionComparison[];
  /** Conditions whose value of the compared factor combines others (`MLM + LAM`), against each of its parts. */
  readonly byPart: readonly ConditionComparison[];
}

/**
 * Tests the conditions of a study with Welch's test and effect sizes: each against the condition that differs only in
 * `study.compare.factor` and has the value `study.compare.baseline`, and each against `study.reference`. Omits diverged runs.
 *
 * Impossible tests (fewer than two runs, no spread) have no p value and do not count in the adjustment; neither do conditions
 * with identical runs for each seed, as with and without activation recomputation.
 *
 * @throws LocalgradError `unknown-name` for an unknown factor, baseline or reference, `invalid-data` if two baselines match
 * one condition
 */
export function compareConditions(
  study: Study,
  measure: AccuracyMeasure,
  options: ComparisonOptions = {},
): StudyComparisons {
  rejectUnknownKeys('compareConditions', options, comparisonOptionNames);
  const { confidence = 0.95 } = options;
  const family = (pairs: readonly ConditionPair[]) => comparePairs(pairs, measure, options);
  return {
    measure,
    confidence,
    byFactor: family(factorPairs(study)),
    byReference: family(referencePairs(study)),
    byPart: family(partPairs(study)),
  };
}

/** Tests pairs of conditions as one family. */
export function comparePairs(
  pairs: readonly ConditionPair[],
  measure: AccuracyMeasure,
  options: ComparisonOptions = {},
): ConditionComparison[] {
  rejectUnknownKeys('comparePairs', options, comparisonOptionNames);
  const { confidence = 0.95, metric = accuracyMetric } = options;
  return adjusted(pairs.map((pair) => compared(pair, measure, { confidence, metric })));
}

/** A condition and the one that it is compared with. */
export type ConditionPair = readonly [condition: Condition, against: Condition];

/** Conditions with the baseline that differs only in `study.compare.factor`. */
export function factorPairs({ compare, conditions, factors }: Study): ConditionPair[] {
  if (compare === null) return [];
  const { factor, baseline } = compare;
  if (!factors.includes(factor)) throw unknownName('factor to compare', factor, factors);
  const values = [...new Set(conditions.flatMap(({ labels }) => labels[factor] ?? []))];
  if (!values.includes(baseline)) throw unknownName(`baseline of factor '${factor}'`, baseline, values);
  const baselines = conditions.filter(({ labels }) => labels[factor] === baseline);
  return conditions.flatMap((condition): ConditionPair[] => {
    if (!(factor in condition.labels) || condition.labels[factor] === baseline) return [];
    const [match, another] = baselines.filter((candidate) => differInOne(condition, candidate, factor));
    if (another !== undefined && match !== undefined) {
      throw new LocalgradError(
        'invalid-data',
        `compareConditions: '${match.key}' and '${another.key}' are both a baseline of '${condition.key}': they have the same labels; allowed: one condition per combination of labels.`,
        { condition: condition.key, baselines: [match.key, another.key] },
      );
    }
    return match === undefined ? [] : [[condition, match]];
  });
}

/** Conditions whose value of the compared factor combines others (`MLM + LAM`), with each of its parts. */
function partPairs({ compare, conditions }: Study): ConditionPair[] {
  if (compare === null) return [];
  const { factor } = compare;
  const values = new Set(conditions.map(({ labels }) => labels[factor]));
  return conditions.flatMap((condition): ConditionPair[] => {
    const parts = condition.labels[factor]?.split(' + ') ?? [];
    if (parts.length < 2 || !parts.every((part) => values.has(part))) return [];
    return parts.flatMap((part): ConditionPair[] => {
      const match = conditions.find(
        (candidate) => candidate.labels[factor] === part && differInOne(condition, candidate, factor),
      );
      return match === undefined ? [] : [[condition, match]];
    });
  });
}

function differInOne(one: Condition, other: Condition, factor: string): boolean {
  const names = new Set([...Object.keys(one.labels), ...Object.keys(other.labels)]);
  return [...names].every((name) => name === factor || one.labels[name] === other.labels[name]);
}

function referencePairs({ reference, conditions }: Study): ConditionPair[] {
  if (reference === null) return [];
  const against = conditions.find(({ key }) => key === reference);
  if (against === undefined) {
    throw unknownName(
      'reference condition',
      reference,
      conditions.map(({ key }) => key),
    );
  }
  return conditions.filter((condition) => condition !== against).map((condition) => [condition, against]);
}

function compared(
  [condition, against]: ConditionPair,
  measure: AccuracyMeasure,
  { confidence, metric }: Required<ComparisonOptions>,
): Omit<ConditionComparison, 'adjustedP'> {
  const [ours, theirs] = [measured(condition.runs, measure, metric), measured(against.runs, measure, metric)];
  const [a, b] = [[...ours.values()], [...theirs.values()]];
  const both = a.length > 0 && b.length > 0;
  const sharedSeeds = [...ours.keys()].filter((seed) => theirs.has(seed));
  const isSame =
    sharedSeeds.length === a.length &&
    a.length === b.length &&
    sharedSeeds.every((seed) => ours.get(seed) === theirs.get(seed));
  const ofShared = (values: ReadonlyMap<number, number>): number[] => sharedSeeds.map((seed) => values.get(seed) ?? 0);
  return {
    condition: condition.key,
    against: against.key,
    runs: [a.length, b.length],
    welch: !both ? null : isSame ? untested(0, confidence) : welchTest(a, b, { confidence }),
    effect: both && !isSame ? hedgesG(a, b) : null,
    sharedSeeds,
    paired: sharedSeeds.length > 0 ? pairedTest(ofShared(ours), ofShared(theirs), { confidence }) : null,
  };
}

/** Values by seed; omits diverged runs and runs without a test set. */
export function measured(
  runs: readonly FinishedRun[],
  measure: AccuracyMeasure,
  metric: Metric = accuracyMetric,
): Map<number, number> {
  return new Map(
    runs.flatMap((run) => {
      const { test, bestTest } = resultsOf(run.summary, metric);
      const value = isDiverged(run) ? null : measure === 'testAccuracy' ? test : bestTest;
      return value === null ? [] : [[run.seed, value] as const];
    }),
  );
}

function adjusted(rows: readonly Omit<ConditionComparison, 'adjustedP'>[]): ConditionComparison[] {
  const tested = rows.flatMap(({ welch }, row) => (typeof welch?.p === 'number' ? [{ row, p: welch.p }] : []));
  const values = holm(tested.map(({ p }) => p));
  const byRow = new Map(tested.map(({ row }, index) => [row, values[index] ?? null]));
  return rows.map((row, index) => ({ ...row, adjustedP: byRow.get(index) ?? null }));
}
