import { defaultSweepFolder, planSweep, readExperiment, readSweepStatus, runFolderOf } from '@localgrad/experiments';
import type { RunConfig } from '@localgrad/runs';
import { configIdOf } from '@localgrad/runs';
import { type Command, Option } from 'commander';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { wholeNumber } from '../../whole-number.js';
import { refuseForeignFlags } from './executor-flags.js';
import { experimentJsonSchema } from './json-schema.js';
import { renderPlan, renderStatus, renderSweep } from './render.js';
import { prepareSweep, reportOf, runSweep, type SweepFlags, sweepStatus } from './run-sweep.js';
import {
  addJobFlags,
  addManifestFlags,
  type ManifestFlags,
  manifestOf,
  renderSubmission,
  type SlurmFlags,
  submitSweep,
} from './submit.js';

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
        const folder = flags.folder ?? defaultSweepFolder(experiment);
        const folderOf = (config: RunConfig) => runFolderOf({ folder }, { runId: configIdOf(config) });
        return planSweep(experiment, folderOf, { measure: flags.measure, threads: flags.threads });
      }, renderPlan),
    );
  withFolder(sweep.command('prepare').summary('write the folder that workers work on; runs nothing')).action(
    (file: string, flags: SweepFlags) =>
      present(
        async () => {
          const made = await prepareSweep(file, flags);
          return await reportOf(made, await readSweepStatus(made));
        },
        (report) => `${renderSweep(report)}\nworkers   localgrad worker ${report.folder}`,
      ),
  );
  addJobFlags(
    withFolder(sweep.command('run').summary('run what is not finished'))
      .addOption(
        new Option(
          '--executor <name>',
          'local: processes of this machine; debug: in this process, one after the other; slurm: a job array',
        )
          .choices(['local', 'debug', 'slurm'])
          .default('local'),
      )
      .option('--processes <number>', 'processes at work at a time (default: one for each processor)', wholeNumber)
      .option(
        '--threads <number>',
        'threads of each, for runs whose config says auto (default: processors / processes)',
        wholeNumber,
      ),
  )
    .option('--partition <name>', 'slurm: partition')
    .option('--account <name>', 'slurm: account')
    .option('--slurm <directive...>', "slurm: further directives, e.g. '--constraint=a100'")
    .option('--maximum-array-size <number>', 'slurm: MaxArraySize (default: 1001)', wholeNumber)
    .option('--dry-run', 'slurm: write the script, send nothing')
    .option('--retry-failed', 'forget the failures of runs that failed for good, and try them again')
    .action((file: string, flags: SweepFlags & SlurmFlags) => {
      refuseForeignFlags(flags.executor, flags);
      return flags.executor === 'slurm'
        ? present(() => submitSweep(file, flags), renderSubmission)
        : present(() => runSweep(file, flags, terminal), renderSweep);
    });
  addManifestFlags(
    withFolder(sweep.command('manifest').summary('print what another scheduler takes: a Kubernetes Job, or commands')),
  ).action((file: string, flags: ManifestFlags) => {
    refuseForeignFlags(flags.kind, flags);
    return present(
      () => manifestOf(file, flags),
      ({ text }) => text.trimEnd(),
    );
  });
  sweep
    .command('status')
    .summary('what the files of a sweep say about its runs')
    .argument('<sweep>', 'folder of the sweep, or its experiment file')
    .action((path: string) => present(() => sweepStatus(path), renderStatus));
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
