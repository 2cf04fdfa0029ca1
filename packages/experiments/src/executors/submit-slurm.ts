import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { errorCodeOf, LocalgradError, messageOf } from '@localgrad/core';
import { createFolder, readIfThere, writeWhole } from '@localgrad/runs';
import type { Sweep } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { inGroups } from './shell.js';
import { type SlurmOptions, slurmScript } from './slurm-script.js';

export interface SubmitOptions extends SlurmOptions {
  readonly sweep: Sweep;
  /** Program and first arguments of a worker. */
  readonly program: readonly string[];
  /** Only these runs, by index. Default: all. */
  readonly tasks?: readonly number[] | undefined;
  /** Runs of one element of the array, one after the other. Default 1. */
  readonly runsPerJob?: number | undefined;
  /** Maximum number of elements of an array (Slurm's MaxArraySize). Default 1001; further runs go into larger elements. */
  readonly maximumArraySize?: number | undefined;
  /** Write the script, but do not submit it. */
  readonly dryRun?: boolean | undefined;
}

export interface Submission {
  readonly script: string;
  /** Null if nothing was submitted: a dry run, or nothing left to do. */
  readonly jobId: string | null;
  readonly elements: number;
  readonly runs: number;
  /** Runs of the sweep that cannot be submitted before the values of `tune` that they run with have been chosen. */
  readonly undecided: number;
}

/**
 * Submits the unfinished runs of a sweep to Slurm as a job array. Results are recorded in the sweep's files, not in Slurm.
 *
 * @throws LocalgradError `missing-dependency` without sbatch, `invalid-option` with Slurm's message if it rejects the job
 */
export async function submitToSlurm(options: SubmitOptions): Promise<Submission> {
  const { sweep, program, runsPerJob = 1, maximumArraySize = 1001, dryRun = false } = options;
  const { tasks, undecided } = await readSweepStatus(sweep);
  const left = tasks.flatMap(({ status, need, task: { index } }) => {
    const isOpen = status === 'waiting' || status === 'interrupted' || status === 'unreadable';
    // A job that waits for a choice would keep a node idle.
    return isOpen && need !== 'wait' && options.tasks?.includes(index) !== false ? [index] : [];
  });
  const folder = resolve(sweep.folder);
  const logFolder = join(folder, 'slurm');
  await createFolder(logFolder);
  const groups = inGroups(left, Math.max(runsPerJob, Math.ceil(left.length / maximumArraySize)));
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const taskFile = join(logFolder, `tasks-${stamp}.txt`);
  const script = join(logFolder, `job-${stamp}.sh`);
  if (groups.length === 0) return { script, jobId: null, elements: 0, runs: 0, undecided };
  const text = slurmScript({
    ...options,
    worker: { program, folder },
    name: sweep.name,
    taskFile,
    elements: groups.length,
    workingFolder: process.cwd(),
    logFolder,
  });
  await writeWhole(taskFile, groups.map((group) => `${group.join(',')}\n`).join(''));
  await writeWhole(script, text);
  const jobId = dryRun ? null : await sbatch(script);
  const submission = { script, jobId, elements: groups.length, runs: left.length, undecided };
  if (jobId !== null) {
    const jobs = join(logFolder, 'jobs.jsonl');
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...submission })}\n`;
    await writeWhole(jobs, `${(await readIfThere(jobs)) ?? ''}${line}`);
  }
  return submission;
}

async function sbatch(script: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('sbatch', ['--parsable', script]);
    // With several clusters: `id;cluster`.
    return stdout.trim().replace(/;.*$/, '');
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') {
      throw new LocalgradError(
        'missing-dependency',
        `There is no 'sbatch' here. Run this where Slurm is, or send ${script} from there.`,
        { script },
        { cause: error },
      );
    }
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new LocalgradError(
      'invalid-option',
      `Slurm rejects ${script}: ${output || messageOf(error)}`,
      { script },
      { cause: error },
    );
  }
}
