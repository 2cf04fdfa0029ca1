import { LocalgradError } from '@localgrad/core';
import { type KernelRuntime, registerTrainingKernels, SharedRuntimes } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { FlatStorage } from './flat-storage.js';
import { guardBackend } from './guard.js';
import { createWebGpuKernels } from './kernels/index.js';
import { architectureOf, type TilingChoice, useTilings } from './kernels/tiling.js';
import type { WebGpuBackend } from './program.js';
import { registerStockOperations } from './stock.js';

export type WebGpuFacts = {
  /** Vendor and architecture of the GPU, e.g. `nvidia hopper`; empty if the implementation does not tell. */
  readonly architecture: string;
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
};

export interface WebGpuRuntime extends KernelRuntime {
  readonly facts: WebGpuFacts;
  /** Bytes of GPU buffers that the backend has allocated. */
  allocatedBytes(): number;
  /** Sets how products of matrices are divided among workgroups. Default: as measured on GPUs of this architecture. */
  useTilings(choices?: readonly TilingChoice[]): void;
}

const runtimes = new SharedRuntimes<WebGpuRuntime>();

/**
 * Where a backend keeps the `navigator.gpu` that it started with: Dawn for Node crashes when that is collected while its device
 * is in use, and other copies of this package in the process, which may be unloaded before the backend, share the backend.
 */
const gpuOfBackend = Symbol.for('localgrad.gpuOfBackend');

/**
 * Makes the TensorFlow.js WebGPU backend the current one, with training kernels and a guard that turns GPU errors into
 * exceptions. Requires `navigator.gpu`: browsers provide it; in Node the package `webgpu` (Dawn) does.
 *
 * A running backend is shared. `dispose` removes kernels and guard; the backend stays registered.
 *
 * @throws LocalgradError `backend-unavailable`
 */
export async function startWebGpu(): Promise<WebGpuRuntime> {
  if (tf.findBackendFactory('webgpu') === null) await import('@tensorflow/tfjs-backend-webgpu');
  if (tf.findBackendFactory('webgpu') === null || !(await tf.setBackend('webgpu'))) {
    throw new LocalgradError(
      'backend-unavailable',
      `The WebGPU backend of TensorFlow.js could not be started. It requires @tensorflow/tfjs-backend-webgpu ${tf.version.tfjs}, ` +
        'the version of @tensorflow/tfjs in this project, and navigator.gpu.',
    );
  }
  const backend: tf.KernelBackend & { [gpuOfBackend]?: unknown } = tf.backend();
  backend[gpuOfBackend] ??= globalThis.navigator?.gpu;
  return runtimes.share(backend, () => createRuntime(backend as tf.KernelBackend & WebGpuBackend));
}

function createRuntime(backend: tf.KernelBackend & WebGpuBackend): WebGpuRuntime {
  const storage = new FlatStorage(backend);
  const kernels = createWebGpuKernels(backend, storage);
  const removeGuard = guardBackend(backend);
  const unregister = registerTrainingKernels(kernels, backend);
  const restore = registerStockOperations(backend);
  useTilings(backend);
  const { limits } = backend.device;
  return {
    name: 'webgpu',
    kernels,
    facts: {
      architecture: architectureOf(backend.device),
      maxBufferSize: limits.maxBufferSize ?? 0,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize ?? 0,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize ?? 0,
    },
    allocatedBytes: () => backend.bufferManager.numBytesAllocated,
    useTilings: (choices) => useTilings(backend, choices),
    dispose() {
      restore();
      unregister();
      removeGuard();
      storage.dispose();
    },
  };
}
