import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  checkConditions,
  type DivergedRun,
  defaultSweepFolder,
  divergedRuns,
  type LeftRun,
  leftRuns,
  openSweep,
  readExperiment,
  readSweepStatus,
  runFolderOf,
  runLocally,
  type Sweep,
  type SweepStatus,
  TaskRunner,
  workOn,
  writeSweep,
} from '@localgrad/experiments';
import { configIdOf, endLostAttempt, forgetFailures, keepsCheckpoints, type RunStatus } from '@localgrad/runs';
import { SweepProgress } from '../../sweep/sweep-progress.js';
import type { Terminal } from '../../terminal.js';

export interface SweepFlags {
  readonly folder?: string;
  readonly executor: 'debug' | 'local' | 'slurm';
  readonly processes?: number;
  readonly threads?: number;
  readonly measure: boolean;
  readonly retryFailed?: boolean;
}

export interface SweepReport {
  readonly name: string;
  readonly folder: string;
  readonly runs: number;
  readonly counts: Readonly<Record<RunStatus, number>>;
  /** Finished runs that diverged; their numbers are not results. */
  readonly diverged: readonly DivergedRun[];
  /** Runs that failed for good, and why. */
  readonly failures: readonly { readonly name: string; readonly folder: string; readonly message: string }[];
  /** The command that tries them once more. */
  readonly retryCommand: string | null;
  /** False where a run failed for good: the exit code is then 1. */
  readonly passed: boolean;
}

export interface RunReport extends SweepReport {
  /** Runs that are not finished, and did not fail for good either. */
  readonly left: readonly LeftRun[];
  /** All runs are finished: else the exit code is 1. */
  readonly passed: boolean;
}

/** Writes the sweep's folder, or brings it up to date. */
export async function prepareSweep(file: string, flags: Pick<SweepFlags, 'folder'>): Promise<Sweep> {
  const experiment = await readExperiment(file);
  const folder = flags.folder ?? defaultSweepFolder(experiment);
  const command = `localgrad sweep run ${file}${flags.folder === undefined ? '' : ` --folder ${flags.folder}`}`;
  return writeSweep(folder, experiment, { runIdOf: configIdOf, command });
}

/** Gives runs that failed for good as many tries as at the beginning. */
export async function retryFailed(sweep: Sweep): Promise<void> {
  const { tasks } = await readSweepStatus(sweep);
  for (const { task, status } of tasks) if (status === 'failed') await forgetFailures(runFolderOf(sweep, task));
}

export async function runSweep(file: string, flags: SweepFlags, terminal: Terminal): Promise<RunReport> {
  const sweep = await prepareSweep(file, flags);
  const before = await readSweepStatus(sweep);
  await checkConditions(sweep, before);
  if (flags.retryFailed === true) await retryFailed(sweep);
  const progress = new SweepProgress(terminal.stderr, before);
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
        program: fileURLToPath(new URL('./cli.js', import.meta.url)),
        signal,
        onMessage: (worker, message) => progress.show(worker, message),
      });
    }
  } finally {
    progress.end();
  }
  const status = await readSweepStatus(sweep);
  await endLostAttempts(sweep, status, terminal);
  const left = leftRuns(sweep, status).filter((run) => run.status !== 'failed');
  return { ...(await reportOf(sweep, status)), left, passed: status.counts.finished === status.tasks.length };
}

/** Nobody works on a finished run again: what a worker left that was killed right after its summary goes here. */
async function endLostAttempts(sweep: Sweep, { tasks }: SweepStatus, terminal: Terminal): Promise<void> {
  for (const { task, status, attempts } of tasks) {
    if (status !== 'finished' || attempts.at(-1)?.outcome === 'finished') continue;
    const onProblem = (message: string) => terminal.stderr.write(`note      ${message}\n`);
    await endLostAttempt({ folder: runFolderOf(sweep, task), onProblem }, keepsCheckpoints(sweep.checkpoints));
  }
}

export async function sweepStatus(path: string): Promise<SweepReport & Pick<SweepStatus, 'tasks'>> {
  const sweep = await openSweep(path);
  const status = await readSweepStatus(sweep);
  return { ...(await reportOf(sweep, status)), tasks: status.tasks };
}

export async function reportOf(sweep: Sweep, status: SweepStatus): Promise<SweepReport> {
  const { tasks, counts } = status;
  const failures = tasks.flatMap(({ task, status, message }) =>
    status === 'failed' ? [{ name: task.name, folder: runFolderOf(sweep, task), message: message ?? 'unknown' }] : [],
  );
  return {
    name: sweep.name,
    folder: sweep.folder,
    runs: tasks.length,
    counts,
    diverged: await divergedRuns(sweep, status),
    failures,
    retryCommand:
      failures.length === 0 ? null : `${sweep.commands.at(-1) ?? 'localgrad sweep run FILE'} --retry-failed`,
    passed: failures.length === 0,
  };
}
