import { at } from '@localgrad/core';
import type { RunSummary } from '@localgrad/runs';
import type { Experiment } from '../files/experiment.js';
import type { Costs } from './plan-costs.js';

export interface PlannedRow {
  readonly name: string;
  readonly runs: number;
  /** Number of finished runs. */
  readonly finished: number;
  /** Number of runs that the rule of early stopping ended. */
  readonly stopped: number;
  /** Number of runs that have failed as often as allowed: only `retryFailed` runs them again. */
  readonly failed: number;
  readonly unitsOfWork: number;
  readonly predictedPeakBytes: number;
  /** Predicted seconds of one run's training steps; null if nothing was measured. */
  readonly predictedSeconds: number | null;
}

/** How a run ended on which nobody will work any more. */
type PlannedEnd = 'finished' | 'stopped' | 'failed';

/** A run of a condition that has ended. */
export interface EndedSeed {
  readonly seed: number;
  readonly status: PlannedEnd;
  /** Of a finished run. */
  readonly summary?: RunSummary | undefined;
}

/** Number of runs of a row on which workers will work. */
export function runsLeft({ runs, finished, stopped, failed }: Omit<PlannedRow, keyof RunCost | 'name'>): number {
  return runs - finished - stopped - failed;
}

/** What is known of the runs of an experiment, by condition. */
export interface KnownRuns {
  readonly costs: readonly Costs[];
  readonly ended: readonly (readonly EndedSeed[])[];
  /** Seconds per multiply-accumulate; undefined if nothing was measured. */
  readonly speed: number | undefined;
}

/** One row per condition, and one for the chosen values of each search, whose further seeds run after it. */
export function plannedRows(
  { conditions, seeds, tuneSeeds }: Pick<Experiment, 'conditions' | 'seeds' | 'tuneSeeds'>,
  { costs: all, ended, speed }: KnownRuns,
): readonly PlannedRow[] {
  const chosenSeeds = seeds.filter((seed) => !tuneSeeds.includes(seed));
  const planned = conditions.map(({ name, setting }, index) => {
    const { unitsOfWork, predictedPeakBytes, work } = at(all, index, 'costs');
    const own = ended[index] ?? [];
    const measured = own.flatMap(({ summary }) => summary?.seconds ?? []);
    const seconds = measured.length > 0 ? mean(measured) : speed === undefined ? null : speed * work;
    const rowOf = (wanted: readonly number[]): Omit<PlannedRow, 'name' | keyof RunCost> => {
      const found = own.filter(({ seed }) => wanted.includes(seed));
      const count = (status: PlannedEnd) => found.filter((run) => run.status === status).length;
      return { runs: wanted.length, finished: count('finished'), stopped: count('stopped'), failed: count('failed') };
    };
    const costOfRun = { unitsOfWork, predictedPeakBytes, predictedSeconds: seconds };
    return { name, setting, rowOf, costOfRun };
  });
  return planned.flatMap(({ name, setting, rowOf, costOfRun }): PlannedRow[] => {
    const own = setting === undefined ? seeds : tuneSeeds;
    const row = { name, ...rowOf(own), ...costOfRun };
    const candidates = planned.filter((other) => setting !== undefined && other.setting === setting);
    if (chosenSeeds.length === 0 || candidates.at(-1)?.name !== name) return [row];
    // Only the chosen candidate has runs of these seeds.
    const chosen = candidates.map((candidate) => candidate.rowOf(chosenSeeds));
    const [furthest = rowOf(chosenSeeds)] = chosen.sort((a, b) => runsLeft(a) - runsLeft(b));
    const costs = mostOf(candidates.map((candidate) => candidate.costOfRun));
    return [row, { name: `${setting}, chosen`, ...furthest, ...costs }];
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
