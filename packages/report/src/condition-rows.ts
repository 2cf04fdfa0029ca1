import { isEndToEnd as isEndToEndPlan } from '@localgrad/core';
import type { Condition, Study } from '@localgrad/experiments';
import { bootstrapInterval, meanInterval } from '@localgrad/statistics';
import { type AverageEffect, averageEffects } from './comparison/average-effects.js';
import { type ConditionComparison, compareConditions, comparePairs } from './comparison/compare-conditions.js';
import { workOf } from './compute.js';

/** The level of every interval in a report. */
export const confidence = 0.95;
/** Adjusted p values below it are called a difference. */
export const significance = 0.05;

/** A mean over seeds. Bounds are null where one seed gives none. */
export interface Estimate {
  readonly n: number;
  readonly mean: number;
  readonly standardDeviation: number | null;
  /** Student's t. */
  readonly low: number | null;
  readonly high: number | null;
}

/** A mean share of correct answers, in [0, 1]. */
export interface Accuracy extends Estimate {
  /** Bounds by the bootstrap (BCa), which assume no normal distribution. */
  readonly bootstrap: readonly [low: number, high: number] | null;
}

/** Difference of mean accuracies to another condition. */
export interface Difference {
  /** Key of the other condition. */
  readonly against: string;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Of Welch's test, adjusted by Holm's method over its family; null with fewer than two runs on a side. */
  readonly p: number | null;
  readonly hedgesG: number | null;
}

/** What a report says of a condition. */
export interface ConditionRow {
  /** From 1: what figures call it. */
  readonly number: number;
  readonly condition: Condition;
  readonly isReference: boolean;
  /** Seeds that were asked for and have no finished run. */
  readonly missing: readonly number[];
  /** After the last epoch. */
  readonly last: Accuracy | null;
  /** After the best epoch: chosen on the test set, and so too high. */
  readonly best: Accuracy | null;
  /** The highest of its runs. */
  readonly peakBytes: number | null;
  /** Of training steps. */
  readonly seconds: Estimate | null;
  readonly unitsOfWork: number | null;
  /** Multiply-accumulates of a whole run. */
  readonly work: number | null;
  readonly toBaseline: Difference | null;
  readonly toReference: Difference | null;
}

/** A study with what was computed from its runs. */
export interface StudyView {
  readonly study: Study;
  readonly rows: readonly ConditionRow[];
  readonly reference: ConditionRow | null;
  /** End to end with recomputed activations, where the study has it. */
  readonly recomputed: ConditionRow | null;
  /** Of finished runs. */
  readonly finished: number;
  /** Of runs that were asked for. */
  readonly wanted: number;
  /** Of each value of the compared factor, over all settings of the others. */
  readonly effects: readonly AverageEffect[];
  /** Tests against baselines, over which p values are adjusted. */
  readonly tests: number;
  /** Of values that are made of others (`MLM + LAM`), each to one of these, all else equal. */
  readonly combinations: readonly RowPair[];
  /** Conditions with a value of the compared factor, each to the most accurate other one that takes no more compute. */
  readonly rivals: readonly RowPair[];
}

/** A condition with its difference to another one. */
export interface RowPair {
  readonly row: ConditionRow;
  readonly other: ConditionRow;
  readonly difference: Difference;
}

/** Compute that counts as no more: heads of other kinds never make it come out even. */
const computeTolerance = 1.05;

/** Computes everything that a report says, from the study alone. */
export function viewOf(study: Study): StudyView {
  const { byFactor, byReference, byPart } = compareConditions(study, 'testAccuracy', { confidence });
  const toBaseline = differencesOf(byFactor);
  const toReference = differencesOf(byReference);
  const rows = study.conditions.map((condition, index): ConditionRow => {
    const { runs, seeds, key } = condition;
    const summaries = runs.map(({ summary }) => summary);
    return {
      number: index + 1,
      condition,
      isReference: key === study.reference,
      missing: seeds.filter((seed) => !runs.some((run) => run.seed === seed)),
      last: accuracyOf(summaries.map(({ testAccuracy }) => testAccuracy)),
      best: accuracyOf(summaries.map(({ bestTestAccuracy }) => bestTestAccuracy)),
      peakBytes: summaries.length === 0 ? null : Math.max(...summaries.map(({ peakBytes }) => peakBytes)),
      seconds: estimateOf(summaries.map(({ seconds }) => seconds)),
      unitsOfWork: summaries[0]?.cost.unitsOfWork ?? null,
      work: estimateOf(known(runs.map((run) => workOf(run))))?.mean ?? null,
      toBaseline: toBaseline.get(key) ?? null,
      toReference: toReference.get(key) ?? null,
    };
  });
  return {
    study,
    rows,
    reference: rows.find(({ isReference }) => isReference) ?? null,
    recomputed: rows.find((row) => !row.isReference && isRecomputed(row)) ?? null,
    finished: sum(rows.map(({ condition }) => condition.runs.length)),
    wanted: sum(rows.map(({ condition, missing }) => condition.runs.length + missing.length)),
    effects: averageEffects(study, 'testAccuracy', { confidence }),
    tests: [...toBaseline.values()].filter(({ p }) => p !== null).length,
    combinations: rowPairs(rows, byPart),
    rivals: rowPairs(rows, comparePairs(rivalsIn(study, rows), 'testAccuracy', { confidence })),
  };
}

/** Each condition with a value of the compared factor, and the most accurate one without it that takes no more compute. */
function rivalsIn({ compare }: Study, rows: readonly ConditionRow[]): [Condition, Condition][] {
  if (compare === null) return [];
  const { factor, baseline } = compare;
  return rows.flatMap(({ condition, work, last }): [Condition, Condition][] => {
    const value = condition.labels[factor];
    if (value === undefined || value === baseline || work === null || last === null) return [];
    const affordable = rows.filter(
      (other) =>
        other.condition.labels[factor] !== value &&
        other.last !== null &&
        (other.work ?? Infinity) <= work * computeTolerance,
    );
    const [best] = affordable.sort((a, b) => (b.last?.mean ?? 0) - (a.last?.mean ?? 0));
    return best === undefined ? [] : [[condition, best.condition]];
  });
}

function rowPairs(rows: readonly ConditionRow[], comparisons: readonly ConditionComparison[]): RowPair[] {
  const byKey = new Map(rows.map((row) => [row.condition.key, row]));
  return comparisons.flatMap((comparison): RowPair[] => {
    const [row, other] = [byKey.get(comparison.condition), byKey.get(comparison.against)];
    const difference = differenceOf(comparison);
    return row === undefined || other === undefined || difference === null ? [] : [{ row, other, difference }];
  });
}

function differencesOf(comparisons: readonly ConditionComparison[]): ReadonlyMap<string, Difference> {
  return new Map(
    comparisons.flatMap((comparison): [string, Difference][] => {
      const difference = differenceOf(comparison);
      return difference === null ? [] : [[comparison.condition, difference]];
    }),
  );
}

function differenceOf({ against, welch, adjustedP, effect }: ConditionComparison): Difference | null {
  if (welch === null) return null;
  const { difference, low, high } = welch;
  return { against, mean: difference, low, high, p: adjustedP, hedgesG: effect?.hedgesG ?? null };
}

/** What a condition has besides one factor, e.g. `host DGL, modules 8`; empty where that is nothing. */
export function labelsBeside({ condition }: ConditionRow, { factors }: Study, factor: string | null): string {
  const others = factors.filter((name) => name !== factor && condition.labels[name] !== undefined);
  return others.map((name) => `${name} ${condition.labels[name]}`).join(', ');
}

/** Whether the condition is end-to-end training, by the objectives of its runs. */
export function isEndToEnd({ condition }: ConditionRow): boolean {
  const [run] = condition.runs;
  return run !== undefined && isEndToEndPlan(run.summary);
}

function isRecomputed(row: ConditionRow): boolean {
  return isEndToEnd(row) && row.condition.config.memory === 'recompute';
}

/** A mean with its t interval; null without values. */
export function estimateOf(values: readonly number[]): Estimate | null {
  if (values.length === 0) return null;
  const { n, mean, standardDeviation, low, high } = meanInterval(values, { confidence });
  return { n, mean, standardDeviation, low, high };
}

function accuracyOf(shares: readonly (number | null)[]): Accuracy | null {
  const values = known(shares);
  const estimate = estimateOf(values);
  if (estimate === null) return null;
  const { low, high } = bootstrapInterval(values, { confidence, seed: 1 });
  return { ...estimate, bootstrap: low === null || high === null ? null : [low, high] };
}

/** The values that are there. */
export function known<T>(values: readonly (T | null | undefined)[]): T[] {
  return values.filter((value): value is T => value !== null && value !== undefined);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
