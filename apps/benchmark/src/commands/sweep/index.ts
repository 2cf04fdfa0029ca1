import {
  checkedSweep,
  chosenConditions,
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
import { parallelCount } from '../../whole-number.js';
import { refuseForeignFlags } from './executor-flags.js';
import {
  addFolderFlags,
  addManifestFlags,
  addOnlyFlag,
  addRunFlags,
  addSetFlag,
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
  const { processes, threads, retryFailed, only } = flags;
  const onProblem = (message: string) => warn(terminal, message);
  const { sweep } = await checkedSweep({ ...placeOf(file, flags), only, threads, onProblem, runsHere: true });
  const executor = flags.executor === 'debug' ? 'debug' : 'local';
  const result = await executeSweep(
    sweep,
    { file, isChecked: true, executor, processes, threads, retryFailed, only },
    terminal,
  );
  const chosen = new Set(chosenConditions(sweep.conditions, only).map(({ name }) => name));
  const isChosen = ({ condition }: { readonly condition: string }) => chosen.has(condition);
  const left = result.left.filter(isChosen);
  const passed = left.length === 0 && !result.failures.some(isChosen);
  return { ...reportOf(result, sweep), left, passed };
}

async function prepare(file: string, flags: SweepFlags, terminal: Terminal): Promise<SweepReport> {
  const onProblem = (message: string) => warn(terminal, message);
  const sweep = await prepareSweep({ ...placeOf(file, flags), onProblem });
  return reportOf(await summarizeSweep(sweep), sweep);
}

async function status(path: string, set: readonly string[] | undefined, terminal: Terminal): Promise<StatusReport> {
  const sweep = await openSweep(path, set, (text) => warn(terminal, text));
  const found = await readSweepStatus(sweep);
  return { ...reportOf(await summarizeSweep(sweep, found), sweep), tasks: found.tasks };
}

async function manifest(file: string, { kind, only, json: _, ...flags }: ManifestFlags) {
  const { folder, set, image, volumeClaim, mountPath, queue, ...job } = flags;
  const place = placeOf(file, { ...(folder === undefined ? {} : { folder }), ...(set === undefined ? {} : { set }) });
  const text =
    kind === 'shell'
      ? await sweepCommands({ ...place, ...job, only })
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
  addOnlyFlag(addFolderFlags(sweep.command('plan').summary('list runs, predicted memory and time; runs nothing')))
    .option('--no-measure', 'do not measure steps to predict the time')
    .option('--threads <number>', 'number of threads for runs with threads: auto', parallelCount)
    .action((file: string, { folder, measure, threads, set, only }: SweepFlags) =>
      present(() => planSweep({ file, folder, measure, threads, overrides: set, only }), renderPlan),
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
      const { slurm: extra, executor: _, set: __, json: ___, ...rest } = flags;
      return present(
        () => submitSweep({ ...rest, ...placeOf(file, flags), onProblem: (text) => warn(terminal, text), extra }),
        renderSubmission,
      );
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
  addSetFlag(
    sweep
      .command('status')
      .summary('show the state of every run, from the files of the sweep')
      .argument('<sweep>', 'folder of the sweep, or its experiment file'),
  ).action((path: string, { set }: Pick<SweepFlags, 'set'>) =>
    present(() => status(path, set, terminal), renderStatus),
  );
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
