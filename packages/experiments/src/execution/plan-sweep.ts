import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { at, rejectUnknownKeys } from '@localgrad/core';
import { configIdOf, lookForSummary, type RunConfig, readRunState, runConfigSchema } from '@localgrad/runs';
import type { Experiment, PlannedCondition } from '../files/experiment.js';
import { isEnded, limitsOf } from '../sweep/run-limits.js';
import { readSweep, runFolderOf } from '../sweep/sweep-folder.js';
import { checkConfigs } from './check-conditions.js';
import { chosenConditions } from './chosen-conditions.js';
import { DataCache } from './data-cache.js';
import { defaultSweepFolder } from './open-sweep.js';
import { type Costs, costOf } from './plan-costs.js';
import { type EndedSeed, type PlannedRow, plannedRows, runsLeft } from './plan-rows.js';
import { measureSpeed, secondsPerWork } from './plan-speed.js';
import { type ExperimentSource, experimentOf, type SweepPlace, sourceNames } from './prepare-sweep.js';

export interface SweepPlan {
  readonly name: string;
  readonly runs: number;
  readonly finished: number;
  /** Number of runs that the rule of early stopping ended. */
  readonly stopped: number;
  /** Number of runs that have failed as often as allowed. */
  readonly failed: number;
  readonly rows: readonly PlannedRow[];
  /** Predicted seconds of the training steps of all runs that have not ended, one after the other. */
  readonly predictedSeconds: number | null;
  /** Basis of the predicted time. */
  readonly basis: string;
}

export interface PlanOptions {
  /** Only conditions with these names; `*` and `?` stand for any text and any character. Default: all. */
  readonly only?: readonly string[] | undefined;
  /** Measure a few steps to predict the time if no run has finished yet. Default true. */
  readonly measure?: boolean | undefined;
  /** Threads of runs whose config says `auto`. */
  readonly threads?: number | undefined;
}

/**
 * Runs, memory and time of an experiment before it runs. Memory is computed. Time is work divided by speed; the speed comes
 * from finished runs, or else from a few steps of the first condition, which are measured here.
 *
 * @throws LocalgradError if the experiment is invalid or a condition cannot run
 */
export async function planSweep(options: ExperimentSource & SweepPlace & PlanOptions): Promise<SweepPlan> {
  rejectUnknownKeys('planSweep', options, [...sourceNames, 'only', 'measure', 'threads']);
  const whole = await experimentOf(options);
  const experiment = { ...whole, conditions: chosenConditions(whole.conditions, options.only) };
  const folderOf = await runFolders(options.folder ?? defaultSweepFolder(whole));
  const data = new DataCache();
  const costs: Costs[] = [];
  const backend = await selectBackend('cpu');
  try {
    await checkConfigs(experiment, { file: options.file ?? experiment.name, threads: options.threads }, data);
    for (const condition of experiment.conditions) costs.push(await costOf(configOf(condition, 1), data));
  } finally {
    backend.dispose();
  }
  const ended = await Promise.all(
    experiment.conditions.map((condition) => endedSeeds(condition, experiment, folderOf)),
  );
  const known = secondsPerWork(
    costs,
    ended.map((runs) => runs.flatMap(({ summary }) => summary ?? [])),
  );
  const [first] = experiment.conditions;
  const measured =
    known === undefined && options.measure !== false && first !== undefined
      ? await measureSpeed(
          configOf(first, 1),
          await data.of(configOf(first, 1)),
          at(costs, 0, 'costs'),
          options.threads,
        )
      : undefined;
  const rows = plannedRows(experiment, { costs, ended, speed: known ?? measured });
  const total = rows.reduce<number | null>(
    (sum, row) => (sum === null || row.predictedSeconds === null ? null : sum + row.predictedSeconds * runsLeft(row)),
    0,
  );
  return {
    name: experiment.name,
    runs: totalOf(rows, 'runs'),
    finished: totalOf(rows, 'finished'),
    stopped: totalOf(rows, 'stopped'),
    failed: totalOf(rows, 'failed'),
    rows,
    predictedSeconds: total,
    basis:
      known !== undefined
        ? 'finished runs'
        : measured !== undefined
          ? `steps of '${first?.name}'`
          : 'nothing was measured',
  };
}

function totalOf(rows: readonly PlannedRow[], count: 'runs' | 'finished' | 'stopped' | 'failed'): number {
  return rows.reduce((sum, row) => sum + row[count], 0);
}

async function endedSeeds(
  condition: PlannedCondition,
  experiment: Experiment,
  folderOf: (config: RunConfig) => string,
): Promise<readonly EndedSeed[]> {
  const found = experiment.seeds.map(async (seed): Promise<readonly EndedSeed[]> => {
    const folder = folderOf(configOf(condition, seed));
    const { status } = await readRunState(folder, limitsOf(experiment));
    if (!isEnded(status)) return [];
    return [{ seed, status, summary: (await lookForSummary(folder)).summary }];
  });
  return (await Promise.all(found)).flat();
}

/** Folder of a run by its config: in the existing sweep, or where it will be created. */
async function runFolders(folder: string): Promise<(config: RunConfig) => string> {
  const tasks = existsSync(join(folder, 'sweep.json')) ? (await readSweep(folder)).tasks : [];
  const known = new Map(tasks.map(({ config, runId }) => [configIdOf(config), runId]));
  return (config) => {
    const id = configIdOf(config);
    return runFolderOf({ folder }, { runId: known.get(id) ?? id });
  };
}

function configOf({ config }: PlannedCondition, seed: number): RunConfig {
  return runConfigSchema.parse({ ...config, seed });
}
