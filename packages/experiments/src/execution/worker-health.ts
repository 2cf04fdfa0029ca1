import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { type Fault, faultOf, fileSystem, runConfigSchema, writeWhole } from '@localgrad/runs';
import type { Sweep, SweepTask } from '../sweep/sweep-folder.js';

/** A failure that may be the worker's rather than the run's. */
export interface Suspicion {
  readonly runId: string;
  readonly folder: string;
  readonly message: string;
  readonly fault: Fault;
}

/** So many different runs that fail in a row for reasons that are not theirs make a worker stop. */
const mostRuns = 3;

/**
 * Decides whether failures count against runs or against the worker that tried them. A worker is sound once it has made a
 * step; before that, errors of unknown origin are suspicions. They count against the runs when a step is made, or when a
 * run fails as often as it may while others do not; they count against the worker when several runs in a row fail.
 */
export class WorkerHealth {
  #isSound = false;
  #suspicions: Suspicion[] = [];
  readonly #inARow = new Set<string>();

  /** @param hasStepped the run had made a step */
  judge(error: unknown, hasStepped: boolean): Fault {
    const fault = faultOf(error);
    return fault === 'unknown' && (hasStepped || this.#isSound) ? 'run' : fault;
  }

  /** A step has been made. Returns the suspicions that turn out to be failures of their runs. */
  prove(): readonly Suspicion[] {
    this.#isSound = true;
    return this.#clear(() => true);
  }

  /** A run has come to an end of its own. */
  endStreak(): void {
    this.#inARow.clear();
  }

  /** Returns the suspicions that turn out to be failures of their runs. */
  suspect(suspicion: Suspicion, retries: number): readonly Suspicion[] {
    const { runId, fault } = suspicion;
    this.#inARow.add(runId);
    if (fault !== 'unknown') return [];
    this.#suspicions.push(suspicion);
    const own = this.#suspicions.filter((other) => other.runId === runId);
    return own.length > retries && !this.isBroken ? this.#clear((other) => other.runId === runId) : [];
  }

  get isBroken(): boolean {
    return this.#inARow.size >= mostRuns;
  }

  #clear(isMeant: (suspicion: Suspicion) => boolean): readonly Suspicion[] {
    const meant = this.#suspicions.filter(isMeant);
    this.#suspicions = this.#suspicions.filter((suspicion) => !isMeant(suspicion));
    return meant;
  }
}

/** What a worker says that stops since nothing works that it takes. */
export async function brokenWorker(sweep: Sweep, task: SweepTask, message: string): Promise<LocalgradError> {
  const problem = (await folderProblem(sweep)) ?? (await backendProblem(task));
  const check = problem === undefined ? 'Its sweep folder and its backend work.' : `Its check found: ${problem}`;
  return new LocalgradError(
    'backend-unavailable',
    `This worker stops: its last ${mostRuns} runs failed for reasons that are not theirs, and were given back. The last one: ${message} ${check}`,
    { folder: sweep.folder, message, problem },
  );
}

async function folderProblem({ folder }: Sweep): Promise<string | undefined> {
  const file = join(folder, 'runs', `check.${randomUUID()}`);
  return problemOf(async () => {
    await writeWhole(file, '.');
    await fileSystem.unlink(file);
  });
}

async function backendProblem({ config }: SweepTask): Promise<string | undefined> {
  return problemOf(async () => {
    const { backend, threads, relaxedSimd } = runConfigSchema.parse(config);
    (await selectBackend(backend, { threads, relaxedSimd })).dispose();
  });
}

async function problemOf(check: () => Promise<void>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
