import { parentPort, workerData } from 'node:worker_threads';
import { type BackendOptions, selectBackend } from '@localgrad/backends';
import { errorCodeOf, LocalgradError, messageOf } from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { enableProdMode } from '@tensorflow/tfjs';
import { type AsynchronousStart, runStart } from './asynchronous/worker.js';
import { ringReceiver, ringSender } from './channel.js';
import type { PartLinks } from './part-links.js';
import { type PartWork, type Report, runPart, type WorkerPlan } from './part-worker.js';
import type { PlacedGroup } from './placement.js';
import { SharedRing } from './ring.js';
import type { LinkEnds, WireEnds } from './wire.js';

/** The backend of each worker. */
export interface WorkerBackend extends Pick<BackendOptions, 'relaxedSimd'> {
  /** Default `wasm`. */
  readonly name?: 'wasm' | 'cpu';
  /** Threads of each worker's backend. Default 1. */
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

/** What a thread sends to the main program. */
export type ThreadReport =
  | Report
  | { readonly kind: 'done' }
  | { readonly kind: 'failure'; readonly code: string | undefined; readonly message: string };

/**
 * The program of a worker thread of a pipeline: builds the plan and trains the worker's modules until the main program
 * ends.
 *
 * @param build builds the plan and the optimizer of the main program, from the `config` that `createPipeline` received.
 *   Initial weights do not matter: the worker receives those of the main program.
 * @throws LocalgradError `misuse` outside of a worker of `createPipeline`
 */
export async function runWorker<Config>(build: (config: Config) => WorkerPlan | Promise<WorkerPlan>): Promise<void> {
  const port = parentPort;
  if (port === null || workerData?.kind !== 'localgrad pipeline') {
    throw new LocalgradError('misuse', 'runWorker runs in the worker threads of createPipeline only.');
  }
  const start: ThreadStart & { readonly config: Config } = workerData.start;
  const report = (message: ThreadReport) => port.postMessage(message);
  try {
    enableProdMode();
    const { name = 'wasm', threads = 1, relaxedSimd = true } = start.backend;
    const backend = await selectBackend(name, { threads, relaxedSimd });
    const { compiled, optimizer } = await build(start.config);
    const { asynchronous } = start;
    await (asynchronous === undefined
      ? runPart({ compiled, optimizer, ...workOf(start), report })
      : runStart(start, asynchronous, { compiled, optimizer, report }));
    backend.dispose();
    report({ kind: 'done' });
  } catch (error) {
    report({ kind: 'failure', code: errorCodeOf(error), message: messageOf(error) });
  }
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
