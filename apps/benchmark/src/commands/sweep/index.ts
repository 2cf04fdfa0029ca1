import {
  checkedSweep,
  experimentJsonSchema,
  openSweep,
  planSweep,
  prepareSweep,
  quoted,
  readSweepStatus,
  submitSweep,
  summarizeSweep,
  sweepCommands,
  sweepJob,
} from '@localgrad/experiments';
import type { Command } from 'commander';
import type { Presenter } from '../../present.js';
import { executeSweep } from '../../sweep/execute-sweep.js';
import { type Terminal, warn } from '../../terminal.js';
import { threadCount } from '../../whole-number.js';
import { refuseForeignFlags } from './executor-flags.js';
import {
  addFolderFlags,
  addManifestFlags,
  addRunFlags,
  type ManifestFlags,
  placeOf,
  type SlurmFlags,
  type SweepFlags,
} from './flags.js';
import {
  type RunReport,
  renderPlan,
  renderStatus,
  renderSubmission,
  renderSweep,
  reportOf,
  type StatusReport,
  type SweepReport,
} from './render.js';

async function run(file: string, flags: SweepFlags, terminal: Terminal): Promise<RunReport> {
  const onProblem = (message: string) => warn(terminal, message);
  const { sweep } = await checkedSweep({ ...placeOf(file, flags), onProblem });
  const { processes, threads, retryFailed } = flags;
  const executor = flags.executor === 'debug' ? 'debug' : 'local';
  const result = await executeSweep(
    sweep,
    { file, isChecked: true, executor, processes, threads, retryFailed },
    terminal,
  );
  return { ...reportOf(result, sweep), left: result.left, passed: result.counts.finished === result.runs };
}

async function prepare(file: string, flags: SweepFlags, terminal: Terminal): Promise<SweepReport> {
  const onProblem = (message: string) => warn(terminal, message);
  const sweep = await prepareSweep({ ...placeOf(file, flags), onProblem });
  return reportOf(await summarizeSweep(sweep), sweep);
}

async function status(path: string): Promise<StatusReport> {
  const sweep = await openSweep(path);
  const found = await readSweepStatus(sweep);
  return { ...reportOf(await summarizeSweep(sweep, found), sweep), tasks: found.tasks };
}

async function manifest(file: string, { kind, ...flags }: ManifestFlags) {
  const { folder, image, volumeClaim, mountPath, queue, ...job } = flags;
  const place = placeOf(file, { ...(folder === undefined ? {} : { folder }) });
  const text =
    kind === 'shell'
      ? await sweepCommands({ ...place, ...job })
      : await sweepJob({ ...place, ...job, ...withValues({ image, volumeClaim, mountPath, queue }) });
  return { kind, text };
}

/** Omits flags that were not typed, so that the library's defaults apply. */
function withValues(flags: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(flags).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

export function registerSweep(program: Command, terminal: Terminal, present: Presenter): void {
  const sweep = program
    .command('sweep')
    .summary('run an experiment file: many runs, several processes, interruptions')
    .description(
      'Runs every combination of an experiment file. Finished runs are not repeated, interrupted ones are resumed.',
    );
  addFolderFlags(sweep.command('plan').summary('list runs, predicted memory and time; runs nothing'))
    .option('--no-measure', 'do not measure steps to predict the time')
    .option('--threads <number>', 'number of threads for runs with threads: auto', threadCount)
    .action((file: string, { folder, measure, threads }: SweepFlags) =>
      present(() => planSweep({ file, folder, measure, threads }), renderPlan),
    );
  addFolderFlags(sweep.command('prepare').summary('write the folder that workers work on; runs nothing')).action(
    (file: string, flags: SweepFlags) =>
      present(
        () => prepare(file, flags, terminal),
        (report) => `${renderSweep(report)}\nworkers   localgrad worker ${quoted(report.folder)}`,
      ),
  );
  addRunFlags(sweep.command('run').summary('run the unfinished runs')).action(
    (file: string, flags: SweepFlags & SlurmFlags) => {
      refuseForeignFlags(flags.executor, flags);
      if (flags.executor !== 'slurm') return present(() => run(file, flags, terminal), renderSweep);
      const { slurm: extra, ...rest } = flags;
      return present(() => submitSweep({ ...rest, ...placeOf(file, flags), extra }), renderSubmission);
    },
  );
  addManifestFlags(
    sweep.command('manifest').summary('print input for another scheduler: a Kubernetes Job, or commands'),
  ).action((file: string, flags: ManifestFlags) => {
    refuseForeignFlags(flags.kind, flags);
    return present(
      () => manifest(file, flags),
      ({ text }) => text.trimEnd(),
    );
  });
  sweep
    .command('status')
    .summary('show the state of every run, from the files of the sweep')
    .argument('<sweep>', 'folder of the sweep, or its experiment file')
    .action((path: string) => present(() => status(path), renderStatus));
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
