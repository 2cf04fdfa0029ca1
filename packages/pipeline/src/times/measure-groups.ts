import type { Worker } from 'node:worker_threads';
import { at, LocalgradError, messageOf, type Span } from '@localgrad/core';
import type { Batch, CompiledPlan } from '@localgrad/engine';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { readData, storedTensor } from '../message.js';
import { modulesText } from '../placement.js';
import { knownCode, startThread } from '../thread.js';
import type { MeasuringReport, MeasuringStart, WorkerBackend } from '../worker-thread.js';
import type { TimingLimits } from './time-groups.js';

/** Options of `measureGroups`. */
export interface MeasureOptions {
  /** The whole plan, as `train` receives it. */
  readonly compiled: CompiledPlan;
  /** Groups of modules, which together contain every module, in order: those of `groupsToDivide`. */
  readonly groups: readonly Span[];
  /** A batch of the run; borrowed. */
  readonly batch: Batch;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number;
  /** The program of the workers: a module that calls `runWorker`. */
  readonly program: URL;
  /** As for `createPipeline`. */
  readonly config?: unknown;
  /** The backend of each worker. Default: wasm with one thread. */
  readonly backend?: WorkerBackend;
  /** Ends the measurement, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the groups are timed. */
  readonly limits?: TimingLimits;
}

/**
 * Measures how long a worker takes for each group of modules: a thread trains a copy of the network for a few steps, which takes
 * seconds. Nothing of the plan in this thread changes.
 *
 * @returns seconds of a step of each group, with its heads and its update, for `balancedPlacement`
 * @throws LocalgradError if the thread fails
 */
export async function measureGroups(options: MeasureOptions): Promise<number[]> {
  const { compiled, groups, batch, accumulate = 1, program, config, backend = {}, signal, limits } = options;
  signal?.throwIfAborted();
  const start: MeasuringStart = {
    ...{ groups, config, backend, accumulate },
    tensors: await weightsOf(compiled),
    batch: await readData(batch, compiled.reads),
    ...(limits === undefined ? {} : { limits }),
  };
  const thread = startThread(program, { kind: 'localgrad group times', start }, 'measurement');
  const abort = () => void thread.terminate();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const seconds = await reportOf(thread);
    groups.forEach((range, group) => {
      const value = at(seconds, group, 'group');
      if (Number.isFinite(value)) return;
      throw new LocalgradError('misuse', `The time of ${modulesText(range)} is not a number.`);
    });
    return seconds;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
    await thread.terminate();
  }
}

function reportOf(thread: Worker): Promise<number[]> {
  const failure = (problem: string, code?: string) =>
    new LocalgradError(knownCode(code) ?? 'backend-lost', `The modules could not be timed: ${problem}`);
  return new Promise((resolve, reject) => {
    thread.on('message', (report: MeasuringReport) => {
      if (report.kind === 'times') resolve(report.seconds);
      else reject(failure(report.message, report.code));
    });
    thread.on('error', (error) => reject(failure(messageOf(error))));
    thread.on('exit', (code) => reject(failure(`the thread ended with exit code ${code}.`)));
  });
}

/** The weights by their names. */
async function weightsOf({ parameters }: CompiledPlan): Promise<Map<string, StoredTensor>> {
  const all = [...parameters];
  await Promise.all(all.map(([, { value }]) => value.data()));
  return new Map(all.map(([name, { value }]) => [name, storedTensor(value)]));
}
