import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { instantiateThreadedBuild } from './threaded-build.js';

/** A running build of TensorFlow.js' wasm backend. */
export interface Build {
  readonly name: 'threaded-simd' | 'simd' | 'plain';
  /** Why a slower build runs than was asked for. */
  readonly reason?: string;
  /** Why a thread of the backend is dead, if one is. */
  failure(): string | undefined;
  /** Restores the registration of the backend in TensorFlow.js. */
  undo(): void;
}

type Factory = () => tf.KernelBackend | Promise<tf.KernelBackend>;

/** What importing TensorFlow.js' wasm backend registers. */
let stockFactory: Factory | undefined;

/**
 * Makes the wasm backend the current one: with threads if there are several and they can be started.
 *
 * @throws LocalgradError `backend-unavailable`
 */
export async function startBuild(threads: number, simd: boolean): Promise<Build> {
  await import('@tensorflow/tfjs-backend-wasm');
  stockFactory ??= tf.findBackendFactory('wasm');
  const stock = stockFactory;
  if (!simd) return startPlainBuild(stock);
  let reason: string | undefined;
  if (threads > 1) {
    try {
      const { backend, failure } = await instantiateThreadedBuild(threads);
      const undo = await replaceBackend(() => backend, stock);
      return { name: 'threaded-simd', failure, undo };
    } catch (error) {
      reason = `The threaded build could not be started, so that one thread is used: ${(error as Error).message}`;
    }
  }
  if (tf.findBackendFactory('wasm') !== stock) {
    withdraw();
    tf.registerBackend('wasm', stock, 2);
  }
  await activate();
  return { name: 'simd', ...(reason === undefined ? {} : { reason }), failure: () => undefined, undo() {} };
}

async function startPlainBuild(stock: Factory): Promise<Build> {
  const flag = 'WASM_HAS_SIMD_SUPPORT';
  const before = await tf.env().getAsync(flag);
  tf.env().set(flag, false);
  try {
    return {
      name: 'plain',
      reason: 'Without SIMD the training kernels of this package cannot run; stock operations are composed instead.',
      failure: () => undefined,
      // Never the instance that may be running: it has SIMD.
      undo: await replaceBackend(stock, stock),
    };
  } finally {
    tf.env().set(flag, before);
  }
}

/** Registers another wasm backend and makes it the current one; the function that is returned goes back to `stock`. */
async function replaceBackend(factory: Factory, stock: Factory): Promise<() => void> {
  const before = tf.getBackend();
  withdraw();
  tf.registerBackend('wasm', factory, 2);
  await activate();
  const backend = tf.backend();
  return () => {
    const isCurrent = tf.engine().backendName === 'wasm';
    if (tf.engine().registry.wasm === backend) withdraw();
    if (tf.findBackendFactory('wasm') === null) tf.registerBackend('wasm', stock, 2);
    // TensorFlow.js cannot choose by itself: its choice, the stock wasm backend, starts asynchronously.
    if (isCurrent) void tf.setBackend(tf.engine().registry[before] === undefined ? 'cpu' : before);
  };
}

/**
 * Takes the wasm backend out of TensorFlow.js. Its threads end, but its memory remains as long as tensors use it: they
 * move to another backend when they are used there.
 */
function withdraw(): void {
  const backend = tf.engine().registry.wasm as (tf.KernelBackend & Partial<StockBackend>) | undefined;
  if (backend !== undefined) {
    const { wasm } = backend;
    // Otherwise TensorFlow.js lets go of the heap, and with it of the values of live tensors.
    backend.dispose = () => wasm?.PThread?.terminateAllThreads();
  }
  if (tf.findBackendFactory('wasm') !== null) tf.removeBackend('wasm');
}

interface StockBackend {
  readonly wasm: { readonly PThread?: { terminateAllThreads(): void } };
}

async function activate(): Promise<void> {
  let isReady = false;
  let cause: unknown;
  try {
    isReady = await tf.setBackend('wasm');
    await tf.ready();
  } catch (error) {
    cause = error;
  }
  if (!isReady) {
    throw new LocalgradError(
      'backend-unavailable',
      'The wasm backend of TensorFlow.js could not be started.',
      {},
      { cause },
    );
  }
}
