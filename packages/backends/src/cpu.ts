import { LocalgradError } from '@localgrad/core';
import { replaceStockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { cpuKernels } from './cpu-kernels.js';
import type { BackendDescriptor } from './descriptor.js';
import { cpuName, freeMemoryBytes, residentMemory } from './system.node.js';

export const cpu: BackendDescriptor = {
  name: 'cpu',
  description: 'plain JavaScript: the numeric reference for tiny shapes, about a hundred times slower than wasm',
  automatic: false,
  processor: true,
  async probe() {
    return {
      available: true,
      reason: 'Plain JavaScript; for tests of tiny shapes.',
      device: cpuName(),
      hardware: true,
    };
  },
  async start() {
    if (!(await tf.setBackend('cpu'))) {
      throw new LocalgradError('backend-unavailable', 'The cpu backend of TensorFlow.js could not be started.');
    }
    const restore = replaceStockKernels('cpu', cpuKernels());
    return {
      threads: 1,
      device: cpuName(),
      hardware: true,
      facts: { build: 'javascript' },
      availableBytes: freeMemoryBytes,
      memoryInUse: residentMemory,
      dispose: restore,
    };
  },
};
