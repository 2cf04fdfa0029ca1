import { quoted } from '@localgrad/experiments';
import { type Command, Option } from 'commander';
import { parallelCount, wholeNumber } from '../../whole-number.js';

export interface SweepFlags {
  readonly set?: readonly string[];
  readonly only?: readonly string[];
  readonly folder?: string;
  readonly executor: 'debug' | 'local' | 'slurm';
  readonly processes?: number;
  readonly threads?: number;
  readonly measure: boolean;
  readonly retryFailed?: boolean;
  readonly json?: boolean;
}

/** Resources of a job, for all schedulers. */
export interface JobFlags {
  readonly cpus?: number;
  readonly gpus?: number;
  readonly memory?: string;
  readonly minutes?: number;
  readonly parallelism?: number;
  readonly runsPerJob?: number;
}

export interface SlurmFlags extends JobFlags {
  readonly partition?: string;
  readonly account?: string;
  readonly slurm?: readonly string[];
  readonly maximumArraySize?: number;
  readonly dryRun?: boolean;
}

export interface ManifestFlags extends JobFlags, Pick<SweepFlags, 'folder' | 'set' | 'only' | 'json'> {
  readonly kind: 'kubernetes' | 'shell';
  readonly image?: string;
  readonly volumeClaim?: string;
  readonly mountPath?: string;
  readonly queue?: string;
}

/** Where a sweep comes from and goes to, with the command that repeats it. */
export function placeOf(file: string, { folder, set = [] }: Pick<SweepFlags, 'folder' | 'set'>) {
  const settings = set.flatMap((text) => ['--set', text]);
  const place = folder === undefined ? [] : ['--folder', folder];
  const words = ['localgrad', 'sweep', 'run', file, ...settings, ...place];
  return { file, folder, overrides: set, command: words.map(quoted).join(' ') };
}

/** Adds `--set`, which replaces values of an experiment file. */
export function addSetFlag(command: Command): Command {
  return command.option(
    '--set <key=value>',
    'replace a value of the file: a key of every run (epochs=1) or of the file (seeds=2, grid.modules=[4,8]); repeatable',
    collected,
  );
}

/** Adds `--only`, which limits a command to some conditions. */
export function addOnlyFlag(command: Command): Command {
  return command.option(
    '--only <condition>',
    "only conditions with this name; '*' and '?' stand for any text and any character; repeatable",
    collected,
  );
}

function collected(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

export function addFolderFlags(command: Command): Command {
  return addSetFlag(
    command
      .argument('<file>', 'experiment file (YAML)')
      .option(
        '--folder <folder>',
        'folder of the sweep (default: localgrad-sweeps/<name>; with --set: localgrad-sweeps/<name>+<values>)',
      ),
  );
}

export function addJobFlags(command: Command): Command {
  return command
    .option('--cpus <number>', 'processor cores of a job, and threads of its runs (default: 1)', parallelCount)
    .option('--gpus <number>', 'GPUs of a job', wholeNumber)
    .option('--memory <size>', 'main memory of a job, e.g. 8GiB')
    .option('--minutes <number>', 'time limit of a job in minutes', wholeNumber)
    .option('--parallelism <number>', 'number of jobs at a time', wholeNumber)
    .option('--runs-per-job <number>', 'number of runs of a job, one after the other (default: 1)', wholeNumber);
}

export function addRunFlags(command: Command): Command {
  return addJobFlags(
    addOnlyFlag(addFolderFlags(command))
      .addOption(
        new Option(
          '--executor <name>',
          'local: processes of this machine; debug: in this process, one run after the other; slurm: a job array',
        )
          .choices(['local', 'debug', 'slurm'])
          .default('local'),
      )
      .option('--processes <number>', 'number of processes at a time (default: one for each core)', parallelCount)
      .option(
        '--threads <number>',
        'number of threads per process, for runs with threads: auto (default: cores / processes)',
        parallelCount,
      ),
  )
    .option('--partition <name>', 'slurm: partition')
    .option('--account <name>', 'slurm: account')
    .option('--slurm <directive...>', "slurm: further directives, e.g. '--constraint=a100'")
    .option('--maximum-array-size <number>', 'slurm: MaxArraySize (default: 1001)', wholeNumber)
    .option('--dry-run', 'slurm: write the script, submit nothing')
    .option('--retry-failed', 'also retry runs that have used up their attempts');
}

export function addManifestFlags(command: Command): Command {
  return addJobFlags(
    addOnlyFlag(addFolderFlags(command)).addOption(
      new Option('--kind <name>', 'kubernetes: an indexed Job; shell: one command per line')
        .choices(['kubernetes', 'shell'])
        .makeOptionMandatory(),
    ),
  )
    .option('--image <name>', "kubernetes: image with the command localgrad (default: 'localgrad')")
    .option('--volume-claim <name>', "kubernetes: claim of the volume that pods share (default: 'localgrad')")
    .option(
      '--mount-path <path>',
      "kubernetes: mount path of the volume, which contains the sweep's folder under its own name (default: /localgrad)",
    )
    .option('--queue <name>', 'kubernetes: Kueue queue');
}
