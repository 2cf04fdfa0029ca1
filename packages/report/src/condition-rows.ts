import { isEndToEnd as reachesEverywhere } from '@localgrad/core';
import {
  type Condition,
  commonMetric,
  type FinishedRun,
  isChoosingSeed,
  metricsOf,
  type StoppedRun,
  type Study,
  selectionOf,
} from '@localgrad/experiments';
import { advantage, type EvaluationSet, type Metric, resultsOf } from '@localgrad/train';
import { type Choice, withChoices } from './choices.js';
import { type AverageEffect, averageEffects } from './comparison/average-effects.js';
import { type ConditionComparison, compareConditions, comparePairs } from './comparison/compare-conditions.js';
import { isDiverged } from './comparison/diverged.js';
import { workOf } from './compute.js';
import { type Accuracy, accuracyOf, confidence, type Estimate, estimateOf, known } from './estimates.js';
import { lineOf } from './presentable.js';
import { bestEpochOf } from './selection.js';
import { sum } from './sum.js';
import { type MetricWords, wordsOf } from './text/metric-words.js';

/** Difference of the means of the compared metric to another condition. */
export interface Difference {
  /** Key of the other condition. */
  readonly against: string;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** p value of Welch's test, adjusted by Holm's method; null with fewer than two runs on a side. */
  readonly p: number | null;
  readonly hedgesG: number | null;
}

/** The results of a condition. */
export interface ConditionRow {
  /** From 1; identifies the condition in figures. */
  readonly number: number;
  /** Its runs without the diverged ones. */
  readonly condition: Condition;
  readonly isReference: boolean;
  /** Finished runs whose network is unusable. Every mean, interval and test omits them. */
  readonly diverged: readonly FinishedRun[];
  /** Runs that were stopped early. Every mean, interval and test omits them. */
  readonly stopped: readonly StoppedRun[];
  /** Requested seeds without a finished or stopped run. */
  readonly missing: readonly number[];
  /** The compared metric on test images after the last epoch. */
  readonly last: Accuracy | null;
  /** The same after the best epoch, which the images of the study's selection choose: test images bias it upward. */
  readonly best: Accuracy | null;
  /** Highest peak memory of its runs. */
  readonly peakBytes: number | null;
  /** Time of training steps. */
  readonly seconds: Estimate | null;
  readonly unitsOfWork: number | null;
  /** Multiply-accumulates of a whole run. */
  readonly work: number | null;
  readonly toBaseline: Difference | null;
  readonly toReference: Difference | null;
}

/** A study with everything that is computed from its runs. */
export interface StudyView {
  /** With one condition for each setting; see `choices`. */
  readonly study: Study;
  /** The images by which epochs and values are chosen. */
  readonly selection: EvaluationSet;
  /** The metric that is compared: the one by which all runs choose their epochs, or accuracy if they differ. */
  readonly metric: MetricWords;
  /** Names of the metrics by which runs choose their epochs. */
  readonly chosenBy: readonly string[];
  /** What each setting could choose from; empty if nothing is chosen. */
  readonly choices: readonly Choice[];
  readonly rows: readonly ConditionRow[];
  readonly reference: ConditionRow | null;
  /** The reference with activation recomputation, if the study has it. */
  readonly recomputed: ConditionRow | null;
  /** Number of finished runs, diverged ones and those of values that were not chosen included. */
  readonly finished: number;
  /** Number of requested runs, without those that were stopped early. */
  readonly wanted: number;
  /** Number of runs that were stopped early, those of values that were not chosen included. */
  readonly stopped: number;
  /** Effect of each value of the compared factor, averaged over all settings of the other factors. */
  readonly effects: readonly AverageEffect[];
  /** Number of tests against baselines, over which p values are adjusted. */
  readonly tests: number;
  /** Values composed of others (`MLM + LAM`), each against one of its parts, all else equal. */
  readonly combinations: readonly RowPair[];
  /** Conditions with a value of the compared factor, each against the best other one with no more compute. */
  readonly rivals: readonly RowPair[];
}

/** A condition with its difference from another one. */
export interface RowPair {
  readonly row: ConditionRow;
  readonly other: ConditionRow;
  readonly difference: Difference;
}

/** Factor up to which compute counts as no more: different heads never have exactly equal costs. */
const computeTolerance = 1.05;

/** Computes everything that a report contains. */
export function viewOf(whole: Study): StudyView {
  const { study, choices } = withChoices(whole);
  const selection = selectionOf(whole.conditions);
  const keys = new Set(study.conditions.map(({ key }) => key));
  const allRuns = whole.conditions.flatMap(({ runs }) => runs);
  const metric = commonMetric(allRuns);
  const tested = { confidence, metric };
  const { byFactor, byReference, byPart } = compareConditions(study, 'testAccuracy', tested);
  const toBaseline = differencesOf(byFactor);
  const toReference = differencesOf(byReference);
  const rows = study.conditions.map((given, index): ConditionRow => {
    const { key, stopped = [] } = given;
    const diverged = given.runs.filter(isDiverged);
    const runs = given.runs.filter((run) => !diverged.includes(run));
    const condition = { ...given, runs };
    const summaries = runs.map(({ summary }) => summary);
    return {
      number: index + 1,
      condition,
      isReference: key === study.reference,
      diverged,
      stopped,
      missing: missingSeeds(given),
      last: accuracyOf(summaries.map((summary) => resultsOf(summary, metric).test)),
      best: accuracyOf(summaries.map((summary) => bestEpochOf(summary, selection, metric))),
      peakBytes: summaries.length === 0 ? null : Math.max(...summaries.map(({ peakBytes }) => peakBytes)),
      seconds: estimateOf(summaries.map(({ seconds }) => seconds)),
      unitsOfWork: estimateOf(summaries.map(({ cost }) => cost.unitsOfWork))?.mean ?? null,
      work: estimateOf(known(runs.map((run) => workOf(run))))?.mean ?? null,
      toBaseline: toBaseline.get(key) ?? null,
      toReference: toReference.get(key) ?? null,
    };
  });
  return {
    study,
    selection,
    metric: wordsOf(metric),
    chosenBy: metricsOf(allRuns).map(({ name }) => lineOf(name)),
    choices,
    rows,
    reference: rows.find(({ isReference }) => isReference) ?? null,
    recomputed: recomputedOf(rows, whole.tune ?? []),
    finished: sum(whole.conditions.map(({ runs }) => runs.length)),
    wanted: sum(
      whole.conditions.map((condition) => {
        const isChosen = keys.has(condition.key);
        return condition.runs.length + missingSeeds(isChosen ? condition : judgedOf(condition)).length;
      }),
    ),
    stopped: sum(whole.conditions.map(({ stopped = [] }) => stopped.length)),
    effects: averageEffects(study, 'testAccuracy', tested),
    tests: [...toBaseline.values()].filter(({ p }) => p !== null).length,
    combinations: rowPairs(rows, byPart),
    rivals: rowPairs(rows, comparePairs(rivalsIn(study, rows, metric), 'testAccuracy', tested)),
  };
}

/** Each condition with a value of the compared factor, and the best other one that takes no more compute. */
function rivalsIn({ compare }: Study, rows: readonly ConditionRow[], metric: Metric): [Condition, Condition][] {
  if (compare === null) return [];
  const { factor, baseline } = compare;
  return rows.flatMap(({ condition, work, last }): [Condition, Condition][] => {
    const value = condition.labels[factor];
    if (value === undefined || value === baseline || work === null || last === null) return [];
    const affordable = rows.filter(
      (other) =>
        other.condition !== condition && other.last !== null && (other.work ?? Infinity) <= work * computeTolerance,
    );
    const [best] = affordable.sort((a, b) => advantage(metric, b.last?.mean ?? 0, a.last?.mean ?? 0));
    return best === undefined ? [] : [[condition, best.condition]];
  });
}

/** A condition that was not chosen needs the seeds that make the choice. */
function judgedOf(condition: Condition): Condition {
  return { ...condition, seeds: condition.seeds.filter((seed) => isChoosingSeed(condition, seed)) };
}

function missingSeeds({ seeds, runs, stopped = [] }: Condition): number[] {
  return seeds.filter((seed) => ![...runs, ...stopped].some((run) => run.seed === seed));
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

/** Values that a condition chose, by factor; none before there is a result. */
export function chosenOf({ condition }: ConditionRow, { choices }: StudyView): Readonly<Record<string, string>> {
  const candidates = choices.flatMap((choice) => choice.candidates);
  return candidates.find(({ key, isChosen }) => isChosen && key === condition.key)?.values ?? {};
}

/** Labels of a condition except one factor, e.g. `host DGL, modules 8`; may be empty. */
export function labelsBeside({ condition }: ConditionRow, { factors }: Study, factor: string | null): string {
  const others = factors.filter((name) => name !== factor && condition.labels[name] !== undefined);
  return others.map((name) => `${name} ${condition.labels[name]}`).join(', ');
}

/** Whether every gradient reaches through the whole network. Unknown without runs; then only the reference counts. */
export function isEndToEnd({ condition, isReference }: ConditionRow): boolean {
  const objectives = condition.runs[0]?.summary.objectives;
  if (objectives === undefined) return isReference;
  const modules = 1 + Math.max(-1, ...objectives.map(({ span }) => span[1]));
  return objectives.length > 0 && reachesEverywhere(objectives, modules);
}

/** Number of finished runs, diverged ones included. */
export function finishedRuns({ condition, diverged }: ConditionRow): number {
  return condition.runs.length + diverged.length;
}

/** Keys of a config that change the memory and the time of end-to-end training, but not its result. */
const costKeys: readonly string[] = ['memory', 'memoryBudget', 'modules', 'partition'];

/** @param tune keys whose values conditions choose */
function recomputedOf(rows: readonly ConditionRow[], tune: readonly string[]): ConditionRow | null {
  const reference = rows.find(({ isReference }) => isReference);
  if (reference === undefined || !isEndToEnd(reference)) return null;
  const trainingOf = ({ condition: { config } }: ConditionRow) =>
    JSON.stringify(
      Object.entries(config)
        .filter(([key]) => ![...costKeys, ...tune].includes(key))
        .sort(),
    );
  const isRecomputed = (row: ConditionRow) => isEndToEnd(row) && row.condition.config.memory === 'recompute';
  return (
    rows.find((row) => row !== reference && isRecomputed(row) && trainingOf(row) === trainingOf(reference)) ?? null
  );
}
