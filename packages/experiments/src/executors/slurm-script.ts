import { LocalgradError } from '@localgrad/core';
import { checkResources, mebibytes, type Resources } from './resources.js';
import { quoted, type WorkerCommand, workerWords } from './shell.js';

export interface SlurmOptions extends Resources {
  readonly partition?: string | undefined;
  readonly account?: string | undefined;
  /** Further directives, e.g. `--constraint=a100`. */
  readonly extra?: readonly string[] | undefined;
}

export interface SlurmScriptOptions extends SlurmOptions {
  readonly worker: WorkerCommand;
  readonly name: string;
  /** File with one line for each element of the array: the indices of its tasks. */
  readonly taskFile: string;
  /** Lines of that file. */
  readonly elements: number;
  /** Where the job runs, and what relative paths are relative to. */
  readonly workingFolder: string;
  /** Folder of the jobs' logs. */
  readonly logFolder: string;
}

/** Slurm signals up to a minute early: with a shorter limit, jobs would be stopped as they start. */
const leastMinutes = 5;

/**
 * Batch script of a job array. Each element is a worker on the tasks in its line. Shortly before its time is over Slurm
 * sends USR1: the worker saves and ends, and the job goes back into the queue. Jobs that get no signal lose what came
 * after their last checkpoint, and nothing else.
 *
 * @throws LocalgradError `invalid-option`
 */
export function slurmScript(options: SlurmScriptOptions): string {
  checkResources(options);
  const { worker, name, taskFile, elements, workingFolder, logFolder, parallelism, cpus = 1, gpus = 0 } = options;
  const { memory, minutes, partition, account, extra = [] } = options;
  if (minutes !== undefined && minutes < leastMinutes) {
    throw new LocalgradError(
      'invalid-option',
      `minutes: ${minutes}; allowed: at least ${leastMinutes}, since Slurm asks jobs to save two minutes before their time is over.`,
      { minutes },
    );
  }
  const limit = parallelism === undefined ? '' : `%${parallelism}`;
  const directives = [
    `--job-name=localgrad-${name}`,
    `--array=0-${elements - 1}${limit}`,
    `--cpus-per-task=${cpus}`,
    ...(gpus === 0 ? [] : [`--gpus=${gpus}`]),
    ...(memory === undefined ? [] : [`--mem=${mebibytes(memory)}M`]),
    ...(minutes === undefined ? [] : [`--time=${minutes}`]),
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(account === undefined ? [] : [`--account=${account}`]),
    '--requeue',
    '--open-mode=append',
    '--signal=B:USR1@120',
    `--chdir=${workingFolder}`,
    `--output=${logFolder}/%A_%a.log`,
    ...extra,
  ];
  for (const directive of directives) checkDirective(directive);
  return `#!/bin/bash
${directives.map((directive) => `#SBATCH ${directive}`).join('\n')}
# Written by localgrad. Submitting it again is safe: finished runs are not repeated.
set -u
tasks=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" ${quoted(taskFile)})
back_to_the_queue() {
  kill -TERM "$worker" 2>/dev/null
  wait "$worker"
  scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}" || exit 1
  exit 0
}
trap back_to_the_queue USR1
${workerWords(worker, cpus).map(quoted).join(' ')} --task "$tasks" &
worker=$!
wait "$worker"
`;
}

/** Slurm reads a directive up to the next space, which cannot be escaped in all versions. */
function checkDirective(directive: string): void {
  if (/^--?[\w@%+=:,./[\]-]+$/.test(directive)) return;
  throw new LocalgradError(
    'invalid-option',
    `Slurm does not accept '${directive}': allowed are letters, digits and @ % + = : , . / [ ] - _, no spaces. Choose another folder or name.`,
    { directive },
  );
}
