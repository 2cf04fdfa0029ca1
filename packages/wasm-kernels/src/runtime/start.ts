import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import {
  type KernelRuntime,
  registerTrainingKernels,
  SharedRuntimes,
  stockKernels,
  type TrainingKernels,
} from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { createWasmTrainingKernels, type KernelOptions } from '../kernels/index.js';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';
import { registerTrainingGradients } from '../stock/register.js';
import { type Build, startBuild } from './build.js';
import { detectWasm, type WasmFeatures } from './detect.js';
import { maximumHeapBytes, openHeap, type WasmHeap } from './heap.js';
import { threadObstacle } from './platform.node.js';
import { withoutFatalErrorHandlers } from './process-listeners.js';

export interface WasmOptions {
  /** Number of threads; `auto`: one per core, at most 8, or those of the running backend. Default `auto`. */
  readonly threads?: number | 'auto';
  /** Use SIMD if it is available; `false` behaves like a machine without it. Default true. */
  readonly simd?: boolean;
  /**
   * Fused multiply-adds (relaxed SIMD) where the engine supports them: faster, but the last bits of results differ from those
   * without, and between processors. Default true.
   */
  readonly relaxedSimd?: boolean;
  /** Maximum size of the heap in bytes. Default 4 GiB, the limit of WebAssembly. */
  readonly limitBytes?: number;
  /**
   * URL of the folder with the .wasm files of `@tensorflow/tfjs-backend-wasm/dist`, relative to the page or worker. Default:
   * where the bundler puts them. Has no effect in Node.
   */
  readonly wasmPaths?: string;
}

export type WasmFacts = {
  readonly build: Build['name'];
  readonly threads: number;
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Why a slower build than the requested one is running, or why `auto` is one thread in this page. */
  readonly reason?: string;
};

export interface WasmRuntime extends KernelRuntime {
  readonly facts: WasmFacts;
  readonly heap: WasmHeap;
  /** The training kernels; `stockKernels` without SIMD. */
  readonly kernels: TrainingKernels;
}

interface Settings {
  readonly threads: number | 'auto';
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  readonly limitBytes: number;
  readonly wasmPaths?: string;
}

const runtimes = new SharedRuntimes<WasmRuntime>();
/** Serializes starts. */
let pending: Promise<unknown> = Promise.resolve();
let running:
  | { readonly backend: object; readonly build: Build; readonly settings: Settings & { readonly threads: number } }
  | undefined;

/**
 * Makes the TensorFlow.js wasm backend the current one, with threads, training kernels, the gradients that it lacks, and a
 * memory guard.
 *
 * A running backend with the same settings is shared. Different settings replace it: earlier handles become invalid, and
 * its tensors move to the new backend when they are next used.
 *
 * @throws LocalgradError `backend-unavailable`, `invalid-option`
 */
export function startWasm(options: WasmOptions = {}): Promise<WasmRuntime> {
  const started = pending.then(() => start(options));
  pending = started.catch(() => {});
  return started;
}

async function start(options: WasmOptions): Promise<WasmRuntime> {
  const features = await detectWasm();
  const settings = settingsOf(options, features);
  const isAlive = tf.engine().registry.wasm === running?.backend && running?.build.failure() === undefined;
  if (running !== undefined && isAlive && fits(running.settings, settings)) {
    const runtime = runtimes.get(running.backend);
    if (runtime !== undefined) {
      await tf.setBackend('wasm');
      return runtimes.share(running.backend, () => runtime);
    }
  }
  if (running !== undefined) runtimes.stop(running.backend);
  const threads = settings.threads === 'auto' ? features.threads : settings.threads;
  const build = await withoutFatalErrorHandlers(() =>
    startBuild(settings.simd ? threads : 1, settings.simd, settings.wasmPaths),
  );
  const backend = tf.backend();
  const obstacle = settings.threads === 'auto' ? threadObstacle() : undefined;
  const reason = build.reason ?? (obstacle === undefined ? undefined : `Using one thread: ${obstacle}`);
  const runtime = await createRuntime(build, { ...settings, threads }, reason);
  running = { backend, build, settings: { ...settings, threads } };
  return runtimes.share(backend, () => runtime);
}

async function createRuntime(
  build: Build,
  settings: Settings & { readonly threads: number },
  reason: string | undefined,
): Promise<WasmRuntime> {
  const { simd, relaxedSimd } = settings;
  const heap = openHeap(settings.limitBytes, build.failure);
  const threads = heap.shared ? settings.threads : 1;
  const own = simd ? await startKernels(build, heap, { threads, relaxedSimd }) : undefined;
  const kernels = own ?? stockKernels;
  const unregister = own === undefined ? () => {} : registerTrainingKernels(own);
  const gradients = registerTrainingGradients(own);
  const { name } = build;
  return {
    name: 'wasm',
    kernels,
    facts: { build: name, threads, simd, relaxedSimd, ...(reason === undefined ? {} : { reason }) },
    heap,
    dispose() {
      gradients.unregister();
      unregister();
      own?.dispose();
      heap.close();
      build.undo();
    },
  };
}

async function startKernels(build: Build, heap: WasmHeap, options: KernelOptions): Promise<WasmTrainingKernels> {
  try {
    return await createWasmTrainingKernels(heap, options);
  } catch (error) {
    heap.close();
    build.undo();
    throw error;
  }
}

function settingsOf(options: WasmOptions, features: WasmFeatures): Settings {
  rejectUnknownKeys('startWasm', options, ['threads', 'simd', 'relaxedSimd', 'limitBytes', 'wasmPaths']);
  const { threads = 'auto', simd = true, relaxedSimd = true, limitBytes = maximumHeapBytes, wasmPaths } = options;
  requireOption(
    threads === 'auto' || (Number.isInteger(threads) && threads >= 1 && threads <= 64),
    'startWasm',
    'threads',
    threads,
    "'auto' or an integer from 1 to 64",
  );
  const usesSimd = simd && features.simd;
  return {
    threads,
    simd: usesSimd,
    relaxedSimd: usesSimd && relaxedSimd && features.relaxedSimd,
    limitBytes,
    ...(wasmPaths === undefined ? {} : { wasmPaths }),
  };
}

function fits(present: Settings, wanted: Settings): boolean {
  return (
    (wanted.threads === 'auto' || wanted.threads === present.threads) &&
    wanted.simd === present.simd &&
    wanted.relaxedSimd === present.relaxedSimd &&
    wanted.limitBytes === present.limitBytes
  );
}
