import { LocalgradError } from '@localgrad/core';
import { type KernelRuntime, registerTrainingKernels, SharedRuntimes } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { FlatStorage } from './flat-storage.js';
import { guardBackend } from './guard.js';
import { createWebGpuKernels } from './kernels/index.js';
import type { WebGpuBackend } from './program.js';
import { registerStockOperations } from './stock.js';

export type WebGpuFacts = {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
};

export interface WebGpuRuntime extends KernelRuntime {
  readonly facts: WebGpuFacts;
  /** Bytes of the buffers that the backend has allocated on the GPU. */
  allocatedBytes(): number;
}

const runtimes = new SharedRuntimes<WebGpuRuntime>();

/**
 * Makes TensorFlow.js' WebGPU backend the current one, with our training kernels and a guard that turns errors of the GPU
 * into exceptions. `navigator.gpu` must exist: browsers have it; in Node the package `webgpu` (Dawn) provides one.
 *
 * A backend that already runs is shared. `dispose` leaves the backend to TensorFlow.js, as it was before.
 *
 * @throws LocalgradError `backend-unavailable`
 */
export async function startWebGpu(): Promise<WebGpuRuntime> {
  if (tf.findBackendFactory('webgpu') === null) await import('@tensorflow/tfjs-backend-webgpu');
  if (tf.findBackendFactory('webgpu') === null || !(await tf.setBackend('webgpu'))) {
    throw new LocalgradError(
      'backend-unavailable',
      "TensorFlow.js' WebGPU backend could not be started. Is @tensorflow/tfjs-backend-webgpu installed beside the " +
        `same @tensorflow/tfjs (${tf.version.tfjs}), and is there a navigator.gpu?`,
    );
  }
  const backend = tf.backend();
  return runtimes.share(backend, () => createRuntime(backend as tf.KernelBackend & WebGpuBackend));
}

function createRuntime(backend: tf.KernelBackend & WebGpuBackend): WebGpuRuntime {
  const storage = new FlatStorage(backend);
  const kernels = createWebGpuKernels(backend, storage);
  const removeGuard = guardBackend(backend);
  const unregister = registerTrainingKernels(kernels, backend);
  const restore = registerStockOperations(backend);
  const { limits } = backend.device;
  return {
    name: 'webgpu',
    kernels,
    facts: {
      maxBufferSize: limits.maxBufferSize ?? 0,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize ?? 0,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize ?? 0,
    },
    allocatedBytes: () => backend.bufferManager.numBytesAllocated,
    dispose() {
      restore();
      unregister();
      removeGuard();
      storage.dispose();
    },
  };
}
