import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { createWasmTrainingKernels } from '../kernels/index.js';
import type { WasmTrainingKernels } from '../kernels/interface.js';
import { registerTrainingGradients } from '../stock/register.js';
import { detectWasm } from './detect.js';
import { maximumHeapBytes, openHeap, type WasmHeap } from './heap.js';
import { withoutFatalErrorHandlers } from './process-listeners.js';
import { instantiateThreadedBuild } from './threaded-build.js';

export interface WasmOptions {
  /** Threads for the backend's and our kernels; `auto`: one per core, at most 8. Default `auto`. */
  readonly threads?: number | 'auto';
  /** Use SIMD where it is there. `false` shows what a machine without it does. Default true. */
  readonly simd?: boolean;
  /** Fused multiply-adds: faster, but not the same bits on every processor. Default false. */
  readonly relaxedSimd?: boolean;
  /** Refuse to hold more than this on the heap. Default 4 GiB, the most that WebAssembly can address. */
  readonly limitBytes?: number;
}

export interface WasmRuntime {
  readonly build: 'threaded-simd' | 'simd' | 'plain';
  readonly threads: number;
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Why a lesser build runs than was asked for. */
  readonly reason?: string;
  readonly heap: WasmHeap;
  /** Absent without SIMD: then the composed stock kernels do the work. */
  readonly kernels?: WasmTrainingKernels;
  /** Stops the threads. The TensorFlow.js backend stays registered. */
  dispose(): void;
}

/**
 * Makes TensorFlow.js' wasm backend the current one, with threads where there are cores, our training kernels, the
 * gradients that it lacks, and a guard at the end of its heap.
 *
 * @throws LocalgradError `backend-unavailable`, `invalid-option`
 */
export async function startWasm(options: WasmOptions = {}): Promise<WasmRuntime> {
  rejectUnknownKeys('startWasm', options, ['threads', 'simd', 'relaxedSimd', 'limitBytes']);
  const { threads: wanted = 'auto', relaxedSimd = false, limitBytes = maximumHeapBytes } = options;
  requireOption(
    wanted === 'auto' || (Number.isInteger(wanted) && wanted >= 1 && wanted <= 64),
    'startWasm',
    'threads',
    wanted,
    "'auto' or an integer from 1 to 64",
  );
  const features = await detectWasm();
  const simd = features.simd && options.simd !== false;
  if (relaxedSimd && !features.relaxedSimd) {
    throw new LocalgradError(
      'backend-unavailable',
      'Relaxed SIMD is not available here. Node 22 has it; Node 20 needs --experimental-wasm-relaxed-simd.',
    );
  }
  const threads = wanted === 'auto' ? features.threads : wanted;
  const { build, reason } = await withoutFatalErrorHandlers(() => registerBackend(simd ? threads : 1, simd));
  const heap = openHeap(limitBytes);
  const usable = heap.shared ? threads : 1;
  const kernels = simd ? await createWasmTrainingKernels(heap, { threads: usable, relaxedSimd }) : undefined;
  registerTrainingGradients(kernels);
  return {
    build,
    threads: usable,
    simd,
    relaxedSimd,
    ...(reason === undefined ? {} : { reason }),
    heap,
    ...(kernels === undefined ? {} : { kernels }),
    dispose: () => kernels?.dispose(),
  };
}

/** What importing TensorFlow.js' wasm backend registers, kept to return to from the threaded build. */
let stockFactory: ReturnType<typeof tf.findBackendFactory> | undefined;

async function registerBackend(
  threads: number,
  simd: boolean,
): Promise<{ build: WasmRuntime['build']; reason?: string }> {
  const { setThreadsCount } = await import('@tensorflow/tfjs-backend-wasm');
  stockFactory ??= tf.findBackendFactory('wasm');
  let reason: string | undefined;
  if (threads > 1) {
    try {
      const backend = await instantiateThreadedBuild(threads);
      if (tf.findBackendFactory('wasm') !== null) tf.removeBackend('wasm');
      setThreadsCount(threads);
      tf.registerBackend('wasm', () => backend, 2);
      await activate();
      return { build: 'threaded-simd' };
    } catch (error) {
      reason = `The threaded build could not be started, so that one thread is used: ${(error as Error).message}`;
    }
  }
  if (!simd) {
    tf.env().set('WASM_HAS_SIMD_SUPPORT', false);
    reason = 'Without SIMD the training kernels of this package cannot run; stock operations are composed instead.';
  }
  if (tf.findBackendFactory('wasm') !== stockFactory) {
    if (tf.findBackendFactory('wasm') !== null) tf.removeBackend('wasm');
    tf.registerBackend('wasm', stockFactory, 2);
  }
  await activate();
  return { build: simd ? 'simd' : 'plain', ...(reason === undefined ? {} : { reason }) };
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
