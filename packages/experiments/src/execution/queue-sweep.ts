import { rejectUnknownKeys } from '@localgrad/core';
import { type KubernetesOptions, kubernetesJob, shellList } from '../executors/manifest.js';
import type { Resources } from '../executors/resources.js';
import { type Submission, type SubmitOptions, submitToSlurm } from '../executors/submit-slurm.js';
import { isEnded } from '../sweep/run-limits.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { workerProgram } from '../worker-program.js';
import { chosenTasks } from './chosen-conditions.js';
import { checkedSweep, preparedSweep, type RunnableSweep, retryFailed, runnableNames } from './prepare-sweep.js';
import type { SweepExecution } from './run-sweep.js';

/** Command that starts a worker on another machine that shares the file system. */
const program = [process.execPath, workerProgram()];

const resourceNames = [
  'cpus',
  'gpus',
  'memory',
  'minutes',
  'parallelism',
] as const satisfies readonly (keyof Resources)[];
const submitNames = [
  ...(['partition', 'account', 'extra', 'runsPerJob', 'maximumArraySize', 'dryRun', 'retryFailed', 'only'] as const),
] satisfies readonly (keyof SubmitOptions | keyof SweepExecution)[];
const jobNames = ['image', 'volumeClaim', 'mountPath', 'queue'] as const satisfies readonly (keyof KubernetesOptions)[];

/** Submits the unfinished runs of a sweep to Slurm as a job array. @throws LocalgradError */
export async function submitSweep(
  options: RunnableSweep &
    Omit<SubmitOptions, 'sweep' | 'program' | 'tasks'> &
    Pick<SweepExecution, 'retryFailed' | 'only'>,
): Promise<Submission & { readonly folder: string }> {
  rejectUnknownKeys('submitSweep', options, [...runnableNames, ...submitNames, ...resourceNames]);
  const { sweep } = await checkedSweep(options);
  const tasks = chosenTasks(sweep, options.only);
  if (options.retryFailed === true) await retryFailed(sweep, tasks);
  return { folder: sweep.folder, ...(await submitToSlurm({ ...options, sweep, program, tasks })) };
}

/** The unfinished runs of a sweep as commands, one per line, for `parallel`, `xargs -P` or another scheduler. */
export async function sweepCommands(
  options: RunnableSweep & { readonly cpus?: number | undefined; readonly runsPerJob?: number | undefined } & Pick<
      SweepExecution,
      'only'
    >,
): Promise<string> {
  rejectUnknownKeys('sweepCommands', options, [...runnableNames, 'cpus', 'runsPerJob', 'only']);
  const sweep = await preparedSweep(options);
  const { tasks } = await readSweepStatus(sweep);
  const chosen = chosenTasks(sweep, options.only);
  const left = tasks.flatMap(({ status, task: { index } }) =>
    isEnded(status) || chosen?.includes(index) === false ? [] : [index],
  );
  return shellList({ sweep, program, cpus: options.cpus, runsPerJob: options.runsPerJob, tasks: left });
}

/** A sweep as an indexed Kubernetes Job whose image contains the command `localgrad`. */
export async function sweepJob(
  options: RunnableSweep &
    Omit<KubernetesOptions, 'sweep' | 'folder' | 'image' | 'volumeClaim'> &
    Partial<Pick<KubernetesOptions, 'image' | 'volumeClaim'>>,
): Promise<string> {
  rejectUnknownKeys('sweepJob', options, [...runnableNames, ...jobNames, ...resourceNames]);
  const sweep = await preparedSweep(options);
  const {
    image = 'localgrad',
    volumeClaim = 'localgrad',
    gpus,
    memory,
    minutes,
    parallelism,
    cpus,
    mountPath,
    queue,
  } = options;
  return kubernetesJob({ sweep, image, volumeClaim, gpus, memory, minutes, parallelism, cpus, mountPath, queue });
}
