import { fileURLToPath } from 'node:url';
import {
  kubernetesJob,
  readSweepStatus,
  type Submission,
  type Sweep,
  shellList,
  submitToSlurm,
} from '@localgrad/experiments';
import { type Command, Option } from 'commander';
import { wholeNumber } from '../../whole-number.js';
import { prepareSweep, retryFailed, type SweepFlags } from './run-sweep.js';

/** What jobs ask for, in words that all schedulers have. */
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

export interface ManifestFlags extends JobFlags, Pick<SweepFlags, 'folder'> {
  readonly kind: 'kubernetes' | 'shell';
  readonly image?: string;
  readonly volumeClaim?: string;
  readonly mountPath?: string;
  readonly queue?: string;
}

/** This program, as a worker on another machine that shares the file system starts it. */
const program = [process.execPath, fileURLToPath(new URL('./cli.js', import.meta.url))];

export function addJobFlags(command: Command): Command {
  return command
    .option('--cpus <number>', 'processor cores of a job, and threads of its runs (default: 1)', wholeNumber)
    .option('--gpus <number>', 'graphics processors of a job', wholeNumber)
    .option('--memory <size>', 'main memory of a job, e.g. 8GiB')
    .option('--minutes <number>', 'minutes after which a job may be ended', wholeNumber)
    .option('--parallelism <number>', 'jobs at work at a time', wholeNumber)
    .option('--runs-per-job <number>', 'runs of a job, one after the other (default: 1)', wholeNumber);
}

export interface SubmissionReport extends Submission {
  readonly folder: string;
}

export async function submitSweep(file: string, flags: SweepFlags & SlurmFlags): Promise<SubmissionReport> {
  const sweep = await prepareSweep(file, flags);
  if (flags.retryFailed === true) await retryFailed(sweep);
  const { slurm: extra, ...rest } = flags;
  return { folder: sweep.folder, ...(await submitToSlurm({ ...rest, extra, sweep, program })) };
}

export function renderSubmission({ folder, script, jobId, elements, runs }: SubmissionReport): string {
  const sent =
    runs === 0
      ? 'nothing is left to do'
      : jobId === null
        ? `not sent: ${script}`
        : `job ${jobId}: ${runs} runs in ${elements} elements`;
  return [sent, `status    localgrad sweep status ${folder}`, `report    localgrad report ${folder}`].join('\n');
}

export async function manifestOf(
  file: string,
  flags: ManifestFlags,
): Promise<{ readonly kind: string; readonly text: string }> {
  const sweep = await prepareSweep(file, flags);
  return { kind: flags.kind, text: flags.kind === 'shell' ? await listOf(sweep, flags) : jobOf(sweep, flags) };
}

async function listOf(sweep: Sweep, { cpus, runsPerJob }: ManifestFlags): Promise<string> {
  const { tasks } = await readSweepStatus(sweep);
  const left = tasks.filter(({ status }) => status !== 'finished' && status !== 'failed').map(({ task }) => task.index);
  return shellList({ sweep, program, cpus, runsPerJob, tasks: left });
}

function jobOf(
  sweep: Sweep,
  { image = 'localgrad', volumeClaim = 'localgrad', folder: _, ...flags }: ManifestFlags,
): string {
  return kubernetesJob({ ...flags, sweep, image, volumeClaim });
}

export function addManifestFlags(command: Command): Command {
  return addJobFlags(
    command.addOption(
      new Option('--kind <name>', 'kubernetes: an indexed Job; shell: one command a line')
        .choices(['kubernetes', 'shell'])
        .makeOptionMandatory(),
    ),
  )
    .option('--image <name>', "kubernetes: image with the command localgrad (default: 'localgrad')")
    .option('--volume-claim <name>', "kubernetes: claim of the volume that pods share (default: 'localgrad')")
    .option(
      '--mount-path <path>',
      "kubernetes: where it is mounted; the sweep's folder lies in it, under its own name (default: /localgrad)",
    )
    .option('--queue <name>', "kubernetes: Kueue's queue");
}
