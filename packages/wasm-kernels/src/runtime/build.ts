import { LocalgradError, messageOf } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { filesHint, threadObstacle, withStockFiles } from './platform.node.js';
import { instantiateThreadedBuild } from './threaded-build.node.js';

/** A running build of TensorFlow.js' wasm backend. */
export interface Build {
  readonly name: 'threaded-simd' | 'simd' | 'plain';
  /** Why a slower build than the requested one is running. */
  readonly reason?: string;
  /** Why a thread of the backend died; undefined if all are alive. */
  failure(): string | undefined;
  /** Restores the registration of the backend in TensorFlow.js. */
  undo(): void;
}

type Factory = () => tf.KernelBackend | Promise<tf.KernelBackend>;

/** Where a factory of this package stores the one that it replaces, for other copies of this package in the same process. */
const replacedFactory = Symbol.for('localgrad.replacedWasmFactory');

type OwnFactory = Factory & { readonly [replacedFactory]: Factory };

let stockFactory: Factory | undefined;

/** The factory that importing the TensorFlow.js wasm backend registers. */
function findStockFactory(): Factory {
  if (stockFactory === undefined) {
    const registered = tf.findBackendFactory('wasm') as Factory & Partial<OwnFactory>;
    stockFactory = registered[replacedFactory] ?? registered;
  }
  return stockFactory;
}

/**
 * Makes the wasm backend the current one: multi-threaded if more than one thread is requested and they can be started.
 *
 * @param paths URL of the folder with the backend's .wasm files, in browsers
 * @throws LocalgradError `backend-unavailable`
 */
export async function startBuild(threads: number, simd: boolean, paths?: string): Promise<Build> {
  await import('@tensorflow/tfjs-backend-wasm');
  const stock = findStockFactory();
  if (!simd) return withStockFiles(paths, () => startPlainBuild(stock, paths));
  let reason: string | undefined;
  if (threads > 1) {
    try {
      const obstacle = threadObstacle();
      if (obstacle !== undefined) throw new Error(obstacle);
      const { backend, failure } = await instantiateThreadedBuild(threads, paths);
      const undo = await replaceBackend(() => backend, stock, paths);
      return { name: 'threaded-simd', failure, undo };
    } catch (error) {
      reason = `Using one thread: the threaded build could not be started: ${messageOf(error)}`;
    }
  }
  if (tf.findBackendFactory('wasm') !== stock) {
    withdraw();
    tf.registerBackend('wasm', stock, 2);
  }
  await withStockFiles(paths, () => activate(paths));
  return { name: 'simd', ...(reason === undefined ? {} : { reason }), failure: () => undefined, undo() {} };
}

async function startPlainBuild(stock: Factory, paths: string | undefined): Promise<Build> {
  const flag = 'WASM_HAS_SIMD_SUPPORT';
  const before = await tf.env().getAsync(flag);
  tf.env().set(flag, false);
  try {
    return {
      name: 'plain',
      reason:
        'The training kernels of this package require SIMD; without it, everything is composed from stock operations.',
      failure: () => undefined,
      // Always a new instance: one that is already running has SIMD.
      undo: await replaceBackend(stock, stock, paths),
    };
  } finally {
    tf.env().set(flag, before);
  }
}

/** Registers another wasm backend and makes it the current one; the returned function restores `stock`. */
async function replaceBackend(factory: Factory, stock: Factory, paths: string | undefined): Promise<() => void> {
  const before = tf.getBackend();
  withdraw();
  const own: OwnFactory = Object.assign(() => factory(), { [replacedFactory]: stock });
  tf.registerBackend('wasm', own, 2);
  await activate(paths);
  const backend = tf.backend();
  return () => {
    const { backendName, registry } = tf.engine();
    const isRegistered = registry.wasm === backend;
    if (isRegistered) withdraw();
    if (tf.findBackendFactory('wasm') === null) tf.registerBackend('wasm', stock, 2);
    // TensorFlow.js cannot choose a backend itself: it would choose the stock wasm backend, which starts asynchronously.
    if (isRegistered && backendName === 'wasm')
      void tf.setBackend(tf.engine().registry[before] === undefined ? 'cpu' : before);
  };
}

/**
 * Removes the wasm backend from TensorFlow.js. Its threads stop, but its memory remains as long as tensors use it: they
 * move to another backend when they are next used.
 */
function withdraw(): void {
  const backend = tf.engine().registry.wasm as (tf.KernelBackend & Partial<StockBackend>) | undefined;
  if (backend !== undefined) {
    const { wasm } = backend;
    // Otherwise TensorFlow.js releases the heap, and with it the values of live tensors.
    backend.dispose = () => wasm?.PThread?.terminateAllThreads();
  }
  if (tf.findBackendFactory('wasm') !== null) tf.removeBackend('wasm');
}

interface StockBackend {
  readonly wasm: { readonly PThread?: { terminateAllThreads(): void } };
}

async function activate(paths: string | undefined): Promise<void> {
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
      `The wasm backend of TensorFlow.js could not be started.${filesHint(paths)}`,
      {},
      { cause },
    );
  }
}
