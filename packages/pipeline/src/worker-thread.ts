import { parentPort, workerData } from 'node:worker_threads';
import { type BackendHandle, type BackendOptions, selectBackend } from '@localgrad/backends';
import { errorCodeOf, get, LocalgradError, messageOf, type Span } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { enableProdMode } from '@tensorflow/tfjs';
import { type AsynchronousStart, runStart } from './asynchronous/worker.js';
import { ringReceiver, ringSender } from './channel.js';
import { type BatchData, batchOf, tensorOf } from './message.js';
import type { PartLinks } from './part-links.js';
import { type PartWork, type Report, runPart, type WorkerPlan } from './part-worker.js';
import type { PlacedGroup } from './placement.js';
import { SharedRing } from './ring.js';
import { type TimingLimits, timeGroups } from './times/time-groups.js';
import type { LinkEnds, WireEnds } from './wire.js';

/** The backend of each worker. */
export interface WorkerBackend extends Pick<BackendOptions, 'relaxedSimd'> {
  /** Default `wasm`. */
  readonly name?: 'wasm' | 'tensorflow' | 'cpu';
  /**
   * Threads of each worker's backend. Default 1. On `tensorflow`, a process has one number of threads, so that the backend of the
   * main program must be started with the same one.
   */
  readonly threads?: number;
}

/** What a thread receives when it starts. */
export interface ThreadStart extends PlacedGroup {
  readonly config: unknown;
  readonly backend: WorkerBackend;
  readonly accumulate: number;
  readonly seed: number;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly ends: WireEnds<SharedArrayBuffer>;
  /** Present for asynchronous training. */
  readonly asynchronous?: AsynchronousStart;
}

/** What a thread that times modules receives when it starts. */
export interface MeasuringStart extends Pick<ThreadStart, 'config' | 'backend' | 'accumulate'> {
  readonly groups: readonly Span[];
  /** Weights by name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly batch: BatchData;
  readonly limits?: TimingLimits;
}

interface ThreadFailure {
  readonly kind: 'failure';
  readonly code: string | undefined;
  readonly message: string;
  /** Lines `at …` of an error that is not a LocalgradError, e.g. of a head. */
  readonly frames?: string | undefined;
}

/** What a thread sends to the main program. */
export type ThreadReport = Report | { readonly kind: 'done' } | ThreadFailure;

/** What a thread that times modules sends to the main program. */
export type MeasuringReport = { readonly kind: 'times'; readonly seconds: number[] } | ThreadFailure;

type Build = (config: unknown) => Promise<WorkerPlan>;

/**
 * The program of a worker thread of a pipeline: builds the plan and trains the worker's modules until the main program
 * ends.
 *
 * @param build builds the plan and the optimizer of the main program, from the `config` that `createPipeline` received.
 *   Initial weights do not matter: the worker receives those of the main program.
 * @throws LocalgradError `misuse` outside of a worker of `createPipeline` or `measureGroups`
 */
export async function runWorker<Config>(build: (config: Config) => WorkerPlan | Promise<WorkerPlan>): Promise<void> {
  const port = parentPort;
  const kinds = { 'localgrad pipeline': runTraining, 'localgrad group times': runMeasurement };
  const run = Object.entries(kinds).find(([kind]) => kind === workerData?.kind)?.[1];
  if (port === null || run === undefined) {
    throw new LocalgradError(
      'misuse',
      'runWorker runs in the worker threads of createPipeline and measureGroups only.',
    );
  }
  const report = (message: ThreadReport | MeasuringReport) => port.postMessage(message);
  try {
    enableProdMode();
    await run(workerData.start, async (config) => build(config as Config), report);
  } catch (error) {
    report({ kind: 'failure', code: errorCodeOf(error), message: messageOf(error), frames: framesOf(error) });
  }
}

function framesOf(error: unknown): string | undefined {
  return error instanceof Error ? /^ +at [\s\S]*/m.exec(error.stack ?? '')?.[0] : undefined;
}

async function runTraining(start: ThreadStart, build: Build, report: (message: ThreadReport) => void): Promise<void> {
  const backend = await startBackend(start.backend);
  const { compiled, optimizer } = await build(start.config);
  const { asynchronous } = start;
  await (asynchronous === undefined
    ? runPart({ compiled, optimizer, ...workOf(start), report })
    : runStart(start, asynchronous, { compiled, optimizer, report }));
  backend.dispose();
  report({ kind: 'done' });
}

async function runMeasurement(
  start: MeasuringStart,
  build: Build,
  report: (message: MeasuringReport) => void,
): Promise<void> {
  const { groups, config, accumulate, tensors, limits = {} } = start;
  await startBackend(start.backend);
  const { compiled, optimizer } = await build(config);
  for (const [name, parameter] of compiled.parameters) parameter.assign(tensorOf(get(tensors, name, 'weight')));
  const batch = batchOf(start.batch);
  report({ kind: 'times', seconds: timeGroups({ compiled, optimizer, groups, batch, accumulate, limits }) });
}

function startBackend({ name = 'wasm', threads = 1, relaxedSimd = true }: WorkerBackend): Promise<BackendHandle> {
  return selectBackend(name, { threads, relaxedSimd });
}

function workOf({
  range,
  accumulate,
  seed,
  tensors,
  ends,
}: ThreadStart): Omit<PartWork, 'compiled' | 'optimizer' | 'report'> {
  const { input, output, links } = ends;
  return {
    ...{ range, accumulate, seed, tensors },
    input: receiverOf(input),
    ...(output === undefined ? {} : { output: senderOf(output) }),
    ...(links === undefined ? {} : { links: linksOf(links) }),
  };
}

function linksOf({
  gradientInput,
  gradientOutput,
  weightInputs,
  weightOutputs,
}: LinkEnds<SharedArrayBuffer>): PartLinks {
  return {
    ...(gradientInput === undefined ? {} : { gradientInput: receiverOf(gradientInput) }),
    ...(gradientOutput === undefined ? {} : { gradientOutput: senderOf(gradientOutput) }),
    weightInputs: weightInputs.map(({ names, end }) => ({ names, receiver: receiverOf(end) })),
    weightOutputs: weightOutputs.map(({ names, end }) => ({ names, sender: senderOf(end) })),
  };
}

const receiverOf = (memory: SharedArrayBuffer) => ringReceiver(new SharedRing(memory));
const senderOf = (memory: SharedArrayBuffer) => ringSender(new SharedRing(memory));
