import type { JsonObject } from '@localgrad/core';
import type { ComparisonRule, FinishedRun, StoppedRun, Study } from '@localgrad/experiments';
import {
  accuracyMetric,
  type EpochRecord,
  type EvaluationSet,
  type Metric,
  type MetricResults,
  resultsOf,
  type ValidationSummary,
} from '@localgrad/train';
import type { Choice } from './choices.js';
import { type ConditionRow, type Difference, type StudyView, viewOf } from './condition-rows.js';
import { type Accuracy, accuracyOf, confidence, type Estimate } from './estimates.js';
import type { Finding } from './finding.js';
import { findings } from './findings.js';
import { presentable } from './presentable.js';

/** One finished run. Bytes, seconds, accuracies in [0, 1]. */
export interface RunResult {
  readonly seed: number;
  /** Runs that diverged are omitted from every mean, interval and test. */
  readonly status: 'finished' | 'diverged';
  readonly runId: string;
  readonly backend: string;
  /** After the last epoch. */
  readonly testAccuracy: number | null;
  readonly bestTestAccuracy: number | null;
  /** Values of the study's `metric`, unless it is accuracy. */
  readonly metric?: MetricResults;
  /** Validation accuracies, and the test accuracy of the epoch that they choose; only of runs with validation images. */
  readonly validation?: ValidationSummary;
  /** Training steps, without evaluation. */
  readonly seconds: number;
  readonly totalSeconds: number;
  readonly peakBytes: number;
  readonly predictedPeakBytes: number;
  readonly steps: number;
  readonly resumptions: number;
  /** Test accuracy of a linear probe on each module. */
  readonly probes: readonly number[] | null;
  readonly epochs: readonly EpochRecord[];
  readonly environment: FinishedRun['environment'];
}

/** The results of one condition. */
export interface ConditionResult {
  /** From 1, as in the tables and figures of a report. */
  readonly number: number;
  readonly key: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly config: JsonObject;
  readonly isReference: boolean;
  readonly testAccuracy: Accuracy | null;
  /** Test accuracy after the best epoch, which the images of the `selection` choose: test images bias it upward. */
  readonly bestTestAccuracy: Accuracy | null;
  /** The study's `metric` on test images after the last and the best epoch, unless it is accuracy. */
  readonly metric?: { readonly test: Accuracy | null; readonly bestTest: Accuracy | null };
  readonly seconds: Estimate | null;
  /** Highest of its runs. */
  readonly peakBytes: number | null;
  readonly unitsOfWork: number | null;
  /** Of a whole run. */
  readonly multiplyAccumulates: number | null;
  readonly toBaseline: Difference | null;
  readonly toReference: Difference | null;
  readonly runs: readonly RunResult[];
  /** Runs that the sweep's rule ended early: no results, and omitted from every mean. */
  readonly stopped: readonly Omit<StoppedRun, 'folder'>[];
  /** Requested seeds without a result. */
  readonly missingSeeds: readonly number[];
}

/** Everything that a report contains, as data. */
export interface StudyResults {
  readonly name: string;
  readonly title: string;
  readonly factors: readonly string[];
  readonly compare: ComparisonRule | null;
  /** Key of the reference condition. */
  readonly reference: string | null;
  /** Level of all intervals. */
  readonly confidence: number;
  /** The images by which epochs and values are chosen: validation images if all runs hold some out. */
  readonly selection: EvaluationSet;
  /** The metric that is compared, unless it is accuracy: that by which all runs choose their epochs. */
  readonly metric?: Metric;
  readonly findings: readonly Finding[];
  /** One for each setting: the best of the values that it could choose from. */
  readonly conditions: readonly ConditionResult[];
  /** What each setting could choose from (`tune`); empty if nothing is chosen. */
  readonly choices: readonly Choice[];
  /** Number of finished runs, diverged ones and those of values that were not chosen included. */
  readonly finished: number;
  /** Number of planned runs, without those that a choice has made unnecessary. */
  readonly runs: number;
  /** Damaged files of single runs, one sentence each. */
  readonly problems: readonly string[];
}

/** The results of a study as plain data for programs. Credentials in texts are masked. */
export function studyResults(study: Study): StudyResults {
  const view = viewOf(presentable(study));
  const { name, title, factors, compare, reference, problems = [] } = view.study;
  return {
    name,
    title,
    factors,
    compare,
    reference,
    confidence,
    selection: view.selection,
    ...(isAccuracy(view) ? {} : { metric: view.metric.metric }),
    findings: findings(view),
    conditions: view.rows.map((row) => conditionResult(row, view)),
    choices: view.choices,
    finished: view.finished,
    runs: view.wanted + view.stopped,
    problems,
  };
}

function isAccuracy({ metric }: StudyView): boolean {
  return metric.metric.name === accuracyMetric.name;
}

function conditionResult(row: ConditionRow, view: StudyView): ConditionResult {
  const { number, isReference, seconds, peakBytes, unitsOfWork, toBaseline, toReference, condition } = row;
  const { key, name, labels, config } = condition;
  return {
    number,
    key,
    name,
    labels,
    config,
    isReference,
    ...estimatesOf(row, view),
    seconds,
    peakBytes,
    unitsOfWork,
    multiplyAccumulates: row.work,
    toBaseline,
    toReference,
    runs: [
      ...condition.runs.map((run) => runResult(run, 'finished', view)),
      ...row.diverged.map((run) => runResult(run, 'diverged', view)),
    ],
    stopped: row.stopped.map(({ folder: _, ...stop }) => stop),
    missingSeeds: row.missing,
  };
}

function estimatesOf(
  { last, best, condition }: ConditionRow,
  view: StudyView,
): Pick<ConditionResult, 'testAccuracy' | 'bestTestAccuracy' | 'metric'> {
  if (isAccuracy(view)) return { testAccuracy: last, bestTestAccuracy: best };
  const summaries = condition.runs.map(({ summary }) => summary);
  const { selection } = view;
  return {
    testAccuracy: accuracyOf(summaries.map(({ testAccuracy }) => testAccuracy)),
    bestTestAccuracy: accuracyOf(
      summaries.map(({ bestTestAccuracy, validation }) =>
        selection === 'test' ? bestTestAccuracy : (validation?.best?.testAccuracy ?? null),
      ),
    ),
    metric: { test: last, bestTest: best },
  };
}

function runResult(
  { seed, summary, environment }: FinishedRun,
  status: RunResult['status'],
  view: StudyView,
): RunResult {
  const { runId, backend, testAccuracy, bestTestAccuracy, validation } = summary;
  const { seconds, totalSeconds, peakBytes, steps } = summary;
  return {
    seed,
    status,
    runId,
    backend,
    testAccuracy,
    bestTestAccuracy,
    ...(isAccuracy(view) ? {} : { metric: resultsOf(summary, view.metric.metric) }),
    ...(validation === undefined ? {} : { validation }),
    seconds,
    totalSeconds,
    peakBytes,
    predictedPeakBytes: summary.cost.predictedPeakBytes,
    steps,
    resumptions: summary.resumptions,
    probes: summary.probes,
    epochs: summary.epochs,
    environment,
  };
}
