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

/** Number of different runs that must fail in a row for external reasons before a worker stops. */
const mostRuns = 3;

/**
 * Decides whether failures count against runs or against the worker. A worker is known to work once it has completed a step;
 * before that, errors of unknown origin are suspicions. They count against the runs after a completed step, or if one run
 * uses up its attempts while others do not fail; they count against the worker if several runs in a row fail.
 */
export class WorkerHealth {
  #isSound = false;
  #suspicions: Suspicion[] = [];
  readonly #inARow = new Set<string>();

  /** @param hasStepped whether the run had completed a step */
  judge(error: unknown, hasStepped: boolean): Fault {
    const fault = faultOf(error);
    return fault === 'unknown' && (hasStepped || this.#isSound) ? 'run' : fault;
  }

  /** Records a completed step. Returns the suspicions that now count against their runs. */
  prove(): readonly Suspicion[] {
    this.#isSound = true;
    return this.#clear(() => true);
  }

  /** Records a run that ended for reasons of its own. */
  endStreak(): void {
    this.#inARow.clear();
  }

  /** Returns the suspicions that now count against their runs. */
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

/** The error of a worker that stops because none of its runs work. */
export async function brokenWorker(sweep: Sweep, task: SweepTask, message: string): Promise<LocalgradError> {
  const problem = (await folderProblem(sweep)) ?? (await backendProblem(task));
  const check = problem === undefined ? 'Its sweep folder and its backend work.' : `Its check found: ${problem}`;
  return new LocalgradError(
    'backend-unavailable',
    `This worker stops: its last ${mostRuns} runs failed for external reasons, and were returned to the sweep. The last error: ${message} ${check}`,
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
    const { backend, threads, relaxedSimd, tf32 } = runConfigSchema.parse(config);
    (await selectBackend(backend, { threads, relaxedSimd, tf32 })).dispose();
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
