import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readSweepStatus, type Sweep, type SweepStatus } from '@localgrad/experiments';
import type { WorkerMessage } from './task-runner.js';

export interface LocalOptions {
  readonly sweep: Sweep;
  readonly processes: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage: (worker: number, message: WorkerMessage) => void;
  /** The program that workers run; default: this one. */
  readonly program?: string;
}

/** Processes that end without having worked, one after the other: nothing will come of trying again. */
const maximumIdleEnds = 3;

/**
 * Runs a sweep in processes of this machine, and starts those again that are killed, until nothing is left to do.
 *
 * @throws the signal's reason, when all workers have saved and ended
 */
export async function runLocally(options: LocalOptions): Promise<SweepStatus> {
  const { sweep, signal } = options;
  const unfinished = await readSweepStatus(sweep);
  const left = unfinished.counts.waiting + unfinished.counts.interrupted + unfinished.counts.running;
  const workers = Math.min(options.processes, left);
  const children = new Set<ChildProcess>();
  const stop = () => {
    for (const child of children) child.kill('SIGTERM');
  };
  signal?.addEventListener('abort', stop, { once: true });
  await Promise.all(Array.from({ length: workers }, (_, worker) => keepWorking(worker, options, children)));
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  return readSweepStatus(sweep);
}

async function keepWorking(worker: number, options: LocalOptions, children: Set<ChildProcess>): Promise<void> {
  let idleEnds = 0;
  while (options.signal?.aborted !== true) {
    const { isDone, hasWorked, reason } = await runWorker(worker, options, children);
    if (isDone) return;
    idleEnds = hasWorked ? 0 : idleEnds + 1;
    options.onMessage(worker, { type: 'problem', message: `worker ${worker + 1} ended (${reason})` });
    if (idleEnds >= maximumIdleEnds) return;
  }
}

interface WorkerEnd {
  readonly isDone: boolean;
  readonly hasWorked: boolean;
  readonly reason: string;
}

function runWorker(
  worker: number,
  { sweep, threads, onMessage, program }: LocalOptions,
  children: Set<ChildProcess>,
): Promise<WorkerEnd> {
  const file = program ?? fileURLToPath(new URL('./cli.js', import.meta.url));
  return new Promise((resolve) => {
    const child: ChildProcess = fork(file, ['worker', sweep.folder, '--threads', String(threads)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let hasWorked = false;
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = `${complaint}${text}`.slice(-2000);
    });
    child.on('message', (message) => {
      hasWorked ||= (message as WorkerMessage).type === 'task-end';
      onMessage(worker, message as WorkerMessage);
    });
    children.add(child);
    const end = (isDone: boolean, reason: string) => {
      children.delete(child);
      resolve({ isDone, hasWorked, reason });
    };
    child.once('error', (error) => end(false, error.message));
    child.once('exit', (code, killedBy) => {
      const last = complaint.trim().split('\n').at(-1) ?? '';
      end(code === 0, killedBy === null ? `exit code ${code}${last === '' ? '' : `: ${last}`}` : killedBy);
    });
  });
}
