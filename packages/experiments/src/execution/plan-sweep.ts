import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { at } from '@localgrad/core';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import {
  buildPlan,
  configIdOf,
  describeRun,
  lookForSummary,
  prepareRun,
  type RunConfig,
  type RunSplits,
  type RunSummary,
  runConfigSchema,
} from '@localgrad/runs';
import { train } from '@localgrad/train';
import type { PlannedCondition } from '../files/experiment.js';
import { readSweep, runFolderOf } from '../sweep/sweep-folder.js';
import { checkConfigs } from './check-conditions.js';
import { chosenConditions } from './chosen-conditions.js';
import { DataCache } from './data-cache.js';
import { defaultSweepFolder } from './open-sweep.js';
import { type ExperimentSource, experimentOf, type SweepPlace } from './prepare-sweep.js';

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

export interface SweepPlan {
  readonly name: string;
  readonly runs: number;
  readonly finished: number;
  readonly rows: readonly PlannedRow[];
  /** Predicted seconds of the training steps of all unfinished runs, one after the other. */
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

interface Costs {
  readonly unitsOfWork: number;
  readonly predictedPeakBytes: number;
  /** Multiply-accumulates of a whole run. */
  readonly work: number;
}

/**
 * Runs, memory and time of an experiment before it runs. Memory is computed. Time is work divided by speed; the speed comes
 * from finished runs, or else from a few steps of the first condition, which are measured here.
 *
 * @throws LocalgradError if the experiment is invalid or a condition cannot run
 */
export async function planSweep(options: ExperimentSource & SweepPlace & PlanOptions): Promise<SweepPlan> {
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
  const { seeds, tuneSeeds } = experiment;
  const chosenSeeds = seeds.filter((seed) => !tuneSeeds.includes(seed));
  const bySeed = await Promise.all(
    experiment.conditions.map(async (condition) => {
      const found = seeds.map(async (seed) => {
        const { summary } = await lookForSummary(folderOf(configOf(condition, seed)));
        return { seed, summary };
      });
      return (await Promise.all(found)).flatMap(({ seed, summary }) =>
        summary === undefined ? [] : [{ seed, summary }],
      );
    }),
  );
  const finished = bySeed.map((runs) => runs.map(({ summary }) => summary));
  const known = secondsPerWork(finished.flat(), costs, finished);
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
  const speed = known ?? measured;
  const planned = experiment.conditions.map(({ name, setting }, index) => {
    const { unitsOfWork, predictedPeakBytes, work } = at(costs, index, 'costs');
    const own = finished[index] ?? [];
    const seconds = own.length > 0 ? mean(own.map((run) => run.seconds)) : speed === undefined ? null : speed * work;
    const countOf = (wanted: readonly number[]) =>
      bySeed[index]?.filter(({ seed }) => wanted.includes(seed)).length ?? 0;
    const costOfRun = { unitsOfWork, predictedPeakBytes, predictedSeconds: seconds };
    return { name, setting, countOf, costOfRun };
  });
  const rows = planned.flatMap(({ name, setting, countOf, costOfRun }): PlannedRow[] => {
    const own = setting === undefined ? seeds : tuneSeeds;
    const row = { name, runs: own.length, finished: countOf(own), ...costOfRun };
    const candidates = planned.filter((other) => setting !== undefined && other.setting === setting);
    if (chosenSeeds.length === 0 || candidates.at(-1)?.name !== name) return [row];
    const further = Math.max(...candidates.map((candidate) => candidate.countOf(chosenSeeds)));
    const costs = mostOf(candidates.map((candidate) => candidate.costOfRun));
    return [row, { name: `${setting}, chosen`, runs: chosenSeeds.length, finished: further, ...costs }];
  });
  const total = rows.reduce<number | null>(
    (sum, row) =>
      sum === null || row.predictedSeconds === null ? null : sum + row.predictedSeconds * (row.runs - row.finished),
    0,
  );
  return {
    name: experiment.name,
    runs: rows.reduce((sum, row) => sum + row.runs, 0),
    finished: rows.reduce((sum, row) => sum + row.finished, 0),
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

async function costOf(config: RunConfig, data: DataCache): Promise<Costs> {
  const { train: images } = await data.of(config);
  const plan = await buildPlan(config, images, { zeros: true });
  try {
    const { totals } = describeRun(plan, config);
    const forward = plan.compiled.modules.reduce((sum, module) => sum + multiplyAccumulatesOf(module), 0);
    const { unitsOfWork, predictedPeakBytes } = totals;
    return { unitsOfWork, predictedPeakBytes, work: unitsOfWork * forward * images.size * config.epochs };
  } finally {
    plan.dispose();
  }
}

function secondsPerWork(
  all: readonly RunSummary[],
  costs: readonly Costs[],
  byCondition: readonly (readonly RunSummary[])[],
): number | undefined {
  if (all.length === 0) return undefined;
  const seconds = byCondition.flatMap((runs) => runs.map((run) => run.seconds));
  const work = byCondition.flatMap((runs, index) => runs.map(() => at(costs, index, 'costs').work));
  return sum(seconds) / sum(work);
}

/** Runs a few steps to warm up, and then times the same number. */
async function measureSpeed(
  config: RunConfig,
  data: RunSplits,
  costs: Costs,
  threads: number | undefined,
): Promise<number> {
  const backend = await selectBackend(config.backend, {
    threads: config.threads === 'auto' ? (threads ?? 'auto') : config.threads,
    relaxedSimd: config.relaxedSimd,
    tf32: config.tf32,
  });
  try {
    const run = await prepareRun({ ...config, epochs: 1 }, data);
    try {
      const steps = Math.min(8, run.options.batches.batchesPerEpoch);
      const { batches, testBatches: _, ...rest } = run.options;
      const few = { ...batches, batchesPerEpoch: steps, epoch: () => firstOf(batches.epoch(0), steps) };
      await train({ ...rest, batches: few });
      const { seconds } = await train({ ...rest, batches: few });
      const share = (steps * config.batch) / (data.train.size * config.epochs);
      return seconds / (costs.work * share);
    } finally {
      run.dispose();
    }
  } finally {
    backend.dispose();
  }
}

async function* firstOf<Item>(items: Iterable<Item> | AsyncIterable<Item>, count: number): AsyncIterable<Item> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    if (++taken === count) return;
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
