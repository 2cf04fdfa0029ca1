import { at } from '@localgrad/core';
import type { RunSummary } from '@localgrad/runs';
import type { Experiment } from '../files/experiment.js';
import type { Costs } from './plan-costs.js';

export interface PlannedRow {
  readonly name: string;
  readonly runs: number;
  /** Number of finished runs. */
  readonly finished: number;
  readonly unitsOfWork: number;
  readonly predictedPeakBytes: number;
  /** Predicted seconds of one run's training steps; null if nothing was measured. */
  readonly predictedSeconds: number | null;
}

/** A finished run of a condition. */
export interface FinishedSeed {
  readonly seed: number;
  readonly summary: RunSummary;
}

/** What is known of the runs of an experiment, by condition. */
export interface KnownRuns {
  readonly costs: readonly Costs[];
  readonly finished: readonly (readonly FinishedSeed[])[];
  /** Seconds per multiply-accumulate; undefined if nothing was measured. */
  readonly speed: number | undefined;
}

/** One row per condition, and one for the chosen values of each search, whose further seeds run after it. */
export function plannedRows(
  { conditions, seeds, tuneSeeds }: Pick<Experiment, 'conditions' | 'seeds' | 'tuneSeeds'>,
  { costs: all, finished, speed }: KnownRuns,
): readonly PlannedRow[] {
  const chosenSeeds = seeds.filter((seed) => !tuneSeeds.includes(seed));
  const planned = conditions.map(({ name, setting }, index) => {
    const { unitsOfWork, predictedPeakBytes, work } = at(all, index, 'costs');
    const own = finished[index] ?? [];
    const seconds =
      own.length > 0 ? mean(own.map(({ summary }) => summary.seconds)) : speed === undefined ? null : speed * work;
    const countOf = (wanted: readonly number[]) => own.filter(({ seed }) => wanted.includes(seed)).length;
    const costOfRun = { unitsOfWork, predictedPeakBytes, predictedSeconds: seconds };
    return { name, setting, countOf, costOfRun };
  });
  return planned.flatMap(({ name, setting, countOf, costOfRun }): PlannedRow[] => {
    const own = setting === undefined ? seeds : tuneSeeds;
    const row = { name, runs: own.length, finished: countOf(own), ...costOfRun };
    const candidates = planned.filter((other) => setting !== undefined && other.setting === setting);
    if (chosenSeeds.length === 0 || candidates.at(-1)?.name !== name) return [row];
    const chosenFinished = Math.max(...candidates.map((candidate) => candidate.countOf(chosenSeeds)));
    const costs = mostOf(candidates.map((candidate) => candidate.costOfRun));
    return [row, { name: `${setting}, chosen`, runs: chosenSeeds.length, finished: chosenFinished, ...costs }];
  });
}

type RunCost = Pick<PlannedRow, 'unitsOfWork' | 'predictedPeakBytes' | 'predictedSeconds'>;

/** The most that a run with chosen values can cost, since the choice is not known before. */
function mostOf(costs: readonly RunCost[]): RunCost {
  const seconds = costs.flatMap(({ predictedSeconds }) => predictedSeconds ?? []);
  return {
    unitsOfWork: Math.max(...costs.map(({ unitsOfWork }) => unitsOfWork)),
    predictedPeakBytes: Math.max(...costs.map(({ predictedPeakBytes }) => predictedPeakBytes)),
    predictedSeconds: seconds.length < costs.length ? null : Math.max(...seconds),
  };
}

const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;
