import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@localgrad/core';
import {
  experimentSchema,
  type RunStatus,
  readSweep,
  readSweepStatus,
  runFolderOf,
  type Sweep,
  type SweepStatus,
  workOn,
  writeSweep,
} from '@localgrad/experiments';
import { formatBytes, formatSeconds } from '@localgrad/train';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { type RunConfig, runConfigSchema } from '../config/run-config.js';
import { runIdOf } from '../execute-run.js';
import type { Presenter } from '../present.js';
import { readExperiment } from '../sweep/experiment-file.js';
import { runLocally } from '../sweep/local-executor.js';
import { planSweep, type SweepPlan } from '../sweep/plan-sweep.js';
import { SweepProgress } from '../sweep/sweep-progress.js';
import { TaskRunner } from '../sweep/task-runner.js';
import type { Terminal } from '../terminal.js';
import { textTable } from '../text-table.js';
import { wholeNumber } from '../whole-number.js';

interface SweepFlags {
  readonly folder?: string;
  readonly executor: 'debug' | 'local';
  readonly processes?: number;
  readonly threads?: number;
  readonly measure: boolean;
}

export interface SweepReport {
  readonly name: string;
  readonly folder: string;
  readonly runs: number;
  readonly counts: Readonly<Record<RunStatus, number>>;
  /** Runs that failed for good, and why. */
  readonly failures: readonly { readonly name: string; readonly folder: string; readonly message: string }[];
  /** False where a run failed for good: the exit code is then 1. */
  readonly passed: boolean;
}

const runIdOfJson = (config: JsonObject) => runIdOf(config as unknown as RunConfig);

/** Writes the sweep's folder, or brings it up to date. */
export async function prepareSweep(file: string, flags: Pick<SweepFlags, 'folder'>): Promise<Sweep> {
  const experiment = await readExperiment(file);
  const folder = flags.folder ?? join('localgrad-sweeps', experiment.name);
  const command = `localgrad sweep run ${file}${flags.folder === undefined ? '' : ` --folder ${flags.folder}`}`;
  return writeSweep(folder, experiment, { runIdOf: runIdOfJson, command });
}

export async function runSweep(file: string, flags: SweepFlags, terminal: Terminal): Promise<SweepReport> {
  const sweep = await prepareSweep(file, flags);
  const progress = new SweepProgress(terminal.stderr, await readSweepStatus(sweep));
  const { signal } = terminal;
  try {
    if (flags.executor === 'debug') {
      const runner = new TaskRunner({
        sweep,
        threads: flags.threads,
        signal,
        report: (message) => progress.show(0, message),
      });
      try {
        await workOn({
          sweep,
          execute: (task, folder) => runner.run(task, folder),
          ...(signal === undefined ? {} : { signal }),
        });
      } finally {
        runner.dispose();
      }
    } else {
      const processes = flags.processes ?? Math.max(1, Math.floor(availableParallelism() / (flags.threads ?? 1)));
      const threads = flags.threads ?? Math.max(1, Math.floor(availableParallelism() / processes));
      await runLocally({
        sweep,
        processes,
        threads,
        signal,
        onMessage: (worker, message) => progress.show(worker, message),
      });
    }
  } finally {
    progress.end();
  }
  return reportOf(sweep, await readSweepStatus(sweep));
}

export async function sweepStatus(folder: string): Promise<SweepReport & Pick<SweepStatus, 'tasks'>> {
  const sweep = await readSweep(folder);
  const status = await readSweepStatus(sweep);
  return { ...reportOf(sweep, status), tasks: status.tasks };
}

function reportOf(sweep: Sweep, { tasks, counts }: SweepStatus): SweepReport {
  const failures = tasks.flatMap(({ task, status, message }) =>
    status === 'failed' ? [{ name: task.name, folder: runFolderOf(sweep, task), message: message ?? 'unknown' }] : [],
  );
  return {
    name: sweep.name,
    folder: sweep.folder,
    runs: tasks.length,
    counts,
    failures,
    passed: failures.length === 0,
  };
}

function renderSweep({ folder, runs, counts, failures }: SweepReport): string {
  const parts = Object.entries(counts).flatMap(([status, count]) => (count === 0 ? [] : [`${count} ${status}`]));
  return [
    `${runs} runs: ${parts.join(', ')}`,
    ...failures.map(({ name, message, folder: run }) => `failed    ${name}: ${message} (${run})`),
    `folder    ${folder}`,
    `report    localgrad report ${folder}`,
  ].join('\n');
}

function renderStatus(report: SweepReport & Pick<SweepStatus, 'tasks'>): string {
  const rows = report.tasks.map(({ task, status, attempts }) => [
    task.name,
    status,
    String(attempts.length),
    task.runId,
  ]);
  return `${textTable(['run', 'status', 'attempts', 'folder'], rows)}\n${renderSweep(report)}`;
}

function renderPlan({ rows, runs, finished, predictedSeconds, basis }: SweepPlan): string {
  const table = textTable(
    ['condition', 'runs', 'finished', 'units of work', 'predicted peak', 'predicted time a run'],
    rows.map((row) => [
      row.name,
      String(row.runs),
      String(row.finished),
      row.unitsOfWork.toFixed(2),
      formatBytes(row.predictedPeakBytes),
      row.predictedSeconds === null ? '–' : formatSeconds(row.predictedSeconds),
    ]),
  );
  const time =
    predictedSeconds === null
      ? 'time: not predicted (--no-measure)'
      : `about ${formatSeconds(predictedSeconds)} of training steps left, one run after the other (from ${basis}); evaluation comes on top`;
  return `${table}\n${runs} runs, ${finished} finished\n${time}`;
}

export function registerSweep(program: Command, terminal: Terminal, present: Presenter): void {
  const sweep = program
    .command('sweep')
    .summary('run an experiment file: many runs, several processes, interruptions')
    .description(
      'Runs every combination of an experiment file. What is finished is not run again; what was interrupted goes on.',
    );
  const withFolder = (command: Command) =>
    command
      .argument('<file>', 'experiment file (YAML)')
      .option('--folder <folder>', 'folder of the sweep (default: localgrad-sweeps/<name>)');
  withFolder(sweep.command('plan').summary('list runs, predicted memory and time; runs nothing'))
    .option('--no-measure', 'do not time some steps to predict the time')
    .option('--threads <number>', 'threads of runs whose config says auto', wholeNumber)
    .action((file: string, flags: SweepFlags) =>
      present(async () => {
        const experiment = await readExperiment(file);
        const folder = flags.folder ?? join('localgrad-sweeps', experiment.name);
        const folderOf = (config: RunConfig) => runFolderOf({ folder }, { runId: runIdOf(config) });
        return planSweep(experiment, folderOf, { measure: flags.measure, threads: flags.threads });
      }, renderPlan),
    );
  withFolder(sweep.command('prepare').summary('write the folder that workers work on; runs nothing')).action(
    (file: string, flags: SweepFlags) =>
      present(
        async () => {
          const made = await prepareSweep(file, flags);
          return reportOf(made, await readSweepStatus(made));
        },
        (report) => `${renderSweep(report)}\nworkers   localgrad worker ${report.folder}`,
      ),
  );
  withFolder(sweep.command('run').summary('run what is not finished'))
    .addOption(
      new Option('--executor <name>', 'local: processes of this machine; debug: in this process, one after the other')
        .choices(['local', 'debug'])
        .default('local'),
    )
    .option('--processes <number>', 'processes at work at a time (default: one for each processor)', wholeNumber)
    .option(
      '--threads <number>',
      'threads of each, for runs whose config says auto (default: processors / processes)',
      wholeNumber,
    )
    .action((file: string, flags: SweepFlags) => present(() => runSweep(file, flags, terminal), renderSweep));
  sweep
    .command('status')
    .summary('what the files of a sweep say about its runs')
    .argument('<folder>', 'folder of the sweep')
    .action((folder: string) => present(() => sweepStatus(folder), renderStatus));
  sweep
    .command('schema')
    .summary('print the JSON Schema of experiment files, for editors')
    .action(() =>
      present(
        async () => experimentJsonSchema(),
        (schema) => JSON.stringify(schema, null, 2),
      ),
    );
}

/** Of an experiment file, with the keys of a run's config in their places. */
export function experimentJsonSchema(): object {
  const own = z.toJSONSchema(experimentSchema, { io: 'input' }) as { properties: Record<string, object> };
  const run = z.toJSONSchema(runConfigSchema.omit({ seed: true }).partial(), { io: 'input' }) as {
    properties: Record<string, object>;
  };
  const texts = Object.fromEntries(
    // A text with a place in it stands for any value until its factor is put in.
    Object.entries(run.properties).map(([key, schema]) => [
      key,
      { anyOf: [schema, { type: 'string', pattern: '\\{.+\\}' }] },
    ]),
  );
  const config = { type: 'object', properties: texts, additionalProperties: false };
  const lists = Object.fromEntries(
    Object.entries(texts).map(([key, items]) => [key, { type: 'array', items, minItems: 1 }]),
  );
  return {
    ...own,
    properties: {
      ...own.properties,
      base: { ...own.properties.base, ...config },
      grid: { ...own.properties.grid, type: 'object', properties: lists, additionalProperties: false },
      include: {
        ...own.properties.include,
        type: 'array',
        items: { ...config, properties: { name: { type: 'string' }, ...texts }, required: ['name'] },
      },
    },
  };
}
