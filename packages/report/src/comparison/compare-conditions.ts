import { LocalgradError, unknownName } from '@localgrad/core';
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
import { isDiverged } from './diverged.js';

/** Which of a run's accuracies is compared. The best of all epochs is chosen by the test set itself, so optimistic. */
export type AccuracyMeasure = 'testAccuracy' | 'bestTestAccuracy';

/** One condition tested against another; differences are accuracies in [−1, 1], first minus second. */
export interface ConditionComparison {
  /** Key of the condition in its study. */
  readonly condition: string;
  /** Key of the condition it is compared with. */
  readonly against: string;
  /** How many runs with this measure each of the two has. */
  readonly runs: readonly [condition: number, against: number];
  /** Null where one of the two has no such run; its p is null where one has fewer than two or neither varies. */
  readonly welch: DifferenceTest | null;
  /** The p of `welch`, adjusted by Holm's method for all tests of the family; null where that is. */
  readonly adjustedP: number | null;
  /** Null where one of the two has no run. */
  readonly effect: EffectSize | null;
  /** Seeds that both have. */
  readonly sharedSeeds: readonly number[];
  /** Over the shared seeds, not part of the family; null where there are none. */
  readonly paired: DifferenceTest | null;
}

/** Three families of tests, each adjusted by itself, in the order of the study's conditions. */
export interface StudyComparisons {
  readonly measure: AccuracyMeasure;
  readonly confidence: number;
  /** By `study.compare`; empty without it. Conditions that no other matches in all other factors are left out. */
  readonly byFactor: readonly ConditionComparison[];
  /** Every other condition against `study.reference`; empty without it. */
  readonly byReference: readonly ConditionComparison[];
  /** Conditions whose value of the compared factor is made of others (`MLM + LAM`) against each of these. */
  readonly byPart: readonly ConditionComparison[];
}

/**
 * Tests the conditions of a study by Welch's test, with effect sizes: each against the one that differs from it in
 * `study.compare.factor` alone and has `study.compare.baseline` there, and each against `study.reference`.
 *
 * Tests that cannot be made (fewer than two runs, no spread) have no p and do not count in the adjustment; neither do
 * runs that are the same, seed by seed, as those with and without recomputation are.
 *
 * @param options.confidence of the intervals of the differences, in (0, 1), by default 0.95; these are not adjusted
 * @throws LocalgradError `unknown-name` for a factor, a baseline or a reference that the study does not have,
 * `invalid-data` where two baselines fit one condition
 */
export function compareConditions(
  study: Study,
  measure: AccuracyMeasure,
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): StudyComparisons {
  const family = (pairs: readonly ConditionPair[]) => comparePairs(pairs, measure, { confidence });
  return {
    measure,
    confidence,
    byFactor: family(factorPairs(study)),
    byReference: family(referencePairs(study)),
    byPart: family(partPairs(study)),
  };
}

/** Tests pairs of conditions as one family. @param options as those of `compareConditions` */
export function comparePairs(
  pairs: readonly ConditionPair[],
  measure: AccuracyMeasure,
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): ConditionComparison[] {
  return adjusted(pairs.map((pair) => compared(pair, measure, confidence)));
}

/** A condition, and the one that it is compared with. */
export type ConditionPair = readonly [condition: Condition, against: Condition];

/** Conditions that differ in `study.compare.factor` alone, each with its baseline. */
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
        `compareConditions: '${match.key}' and '${another.key}' are both a baseline of '${condition.key}': their labels are the same; allowed: one condition for each combination of labels.`,
        { condition: condition.key, baselines: [match.key, another.key] },
      );
    }
    return match === undefined ? [] : [[condition, match]];
  });
}

/** Conditions whose value of the compared factor is made of others, as `MLM + LAM` is, each with those of its parts. */
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
  confidence: number,
): Omit<ConditionComparison, 'adjustedP'> {
  const [ours, theirs] = [measured(condition.runs, measure), measured(against.runs, measure)];
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
export function measured(runs: readonly FinishedRun[], measure: AccuracyMeasure): Map<number, number> {
  return new Map(
    runs.flatMap((run) => {
      const value = isDiverged(run) ? null : run.summary[measure];
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
