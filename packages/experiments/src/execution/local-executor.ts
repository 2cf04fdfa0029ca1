import { type ChildProcess, fork } from 'node:child_process';
import { noteLoss } from '@localgrad/runs';
import { isEnded } from '../sweep/run-limits.js';
import { runFolderOf, type Sweep } from '../sweep/sweep-folder.js';
import { readSweepStatus, type SweepStatus } from '../sweep/sweep-status.js';
import { workerProgram } from '../worker-program.js';
import { askToStop } from './ask-to-stop.js';
import type { WorkerMessage } from './task-runner.js';
import { type WorkerDone, workerEnvironment } from './worker-channel.js';

export interface LocalOptions {
  readonly sweep: Sweep;
  readonly processes: number;
  readonly threads: number;
  /** Only these runs, by index. Default: all. */
  readonly tasks?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage: (worker: number, message: WorkerMessage) => void;
  /** File of the program that workers run, started as `program worker FOLDER --threads N`. Default: that of this package. */
  readonly program?: string;
}

/** Number of processes in a row that may exit without a trace in the sweep's files before no more are started. */
const maximumIdleEnds = 3;

/**
 * Runs a sweep in processes on this machine until nothing is left; replaces processes that are killed.
 *
 * @throws the signal's reason, when all workers have saved and ended
 */
export async function runLocally(options: LocalOptions): Promise<SweepStatus> {
  const { sweep, signal } = options;
  const { tasks } = await readSweepStatus(sweep);
  const left = tasks.filter(({ task, status }) => !isEnded(status) && options.tasks?.includes(task.index) !== false);
  const workers = Math.min(options.processes, left.length);
  const children = new Set<ChildProcess>();
  const stop = () => {
    for (const child of children) askToStop(child);
  };
  signal?.addEventListener('abort', stop, { once: true });
  await Promise.all(Array.from({ length: workers }, (_, worker) => keepWorking(worker, options, children)));
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  return readSweepStatus(sweep);
}

async function keepWorking(worker: number, options: LocalOptions, children: Set<ChildProcess>): Promise<void> {
  let idleEnds = 0;
  while (!isStopped(options)) {
    const end = await runWorker(worker, options, children);
    if (end.isDone || isStopped(options)) return;
    const isNoted = end.lost !== undefined && (await noteLost(end.lost, end, options.sweep));
    idleEnds = end.hasWorked || isNoted ? 0 : idleEnds + 1;
    options.onMessage(worker, { type: 'problem', message: `worker ${worker + 1} ended (${end.reason})` });
    if (idleEnds >= maximumIdleEnds) return;
  }
}

const isStopped = ({ signal }: LocalOptions) => signal?.aborted === true;

/** Counts against the run, so that a run that kills every worker is abandoned. */
async function noteLost(index: number, { pid, reason }: WorkerEnd, sweep: Sweep): Promise<boolean> {
  const task = sweep.tasks.find((candidate) => candidate.index === index);
  if (task === undefined || pid === undefined) return false;
  try {
    return await noteLoss(runFolderOf(sweep, task), pid, `its worker ended (${reason})`);
  } catch {
    // E.g. on a full disk. It then counts as an exit without a trace.
    return false;
  }
}

interface WorkerEnd {
  /** The worker reported that nothing is left; its exit code describes the outcome of its runs. */
  readonly isDone: boolean;
  readonly hasWorked: boolean;
  /** Index of the run that it was working on. */
  readonly lost: number | undefined;
  readonly pid: number | undefined;
  readonly reason: string;
}

function runWorker(
  worker: number,
  { sweep, threads, tasks, onMessage, program = workerProgram() }: LocalOptions,
  children: Set<ChildProcess>,
): Promise<WorkerEnd> {
  return new Promise((resolve) => {
    const only = tasks === undefined ? [] : ['--task', tasks.join(',')];
    const child: ChildProcess = fork(program, ['worker', ...only, '--threads', String(threads), sweep.folder], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: workerEnvironment(),
    });
    let isDone = false;
    let hasWorked = false;
    let lost: number | undefined;
    const complaint = new Complaint();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => complaint.add(text));
    child.on('message', (message: WorkerMessage | WorkerDone) => {
      if (message.type === 'done') {
        isDone = true;
        return;
      }
      if (message.type === 'task-start') lost = message.index;
      if (message.type === 'task-end') {
        lost = undefined;
        // A worker that only returns runs must not be restarted forever.
        hasWorked ||= message.outcome !== 'returned';
      }
      onMessage(worker, message);
    });
    children.add(child);
    const end = (reason: string) => {
      children.delete(child);
      resolve({ isDone, hasWorked, lost, pid: child.pid, reason });
    };
    child.once('error', (error) => end(error.message));
    // Later than `exit`: its last messages have arrived.
    child.once('close', (code, killedBy) => {
      const text = complaint.shown;
      end(killedBy ?? `exit code ${code}${text === '' ? '' : `: ${text}`}`);
    });
  });
}

/** What a worker wrote to stderr: the program's own message, or the last line if there is none. */
class Complaint {
  #head = '';
  #tail = '';

  add(text: string): void {
    this.#head = `${this.#head}${text}`.slice(0, 20_000);
    this.#tail = `${this.#tail}${text}`.slice(-2000);
  }

  get shown(): string {
    return /^localgrad: (.*)$/m.exec(this.#head)?.[1] ?? this.#tail.trim().split('\n').at(-1) ?? '';
  }
}
