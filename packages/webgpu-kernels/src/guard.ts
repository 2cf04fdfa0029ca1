import { LocalgradError } from '@localgrad/core';
import type { WebGpuBackend } from './program.js';

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/**
 * Turns errors of the GPU into exceptions. WebGPU reports an error long after the call that caused it, as an event:
 * without a guard a step on a lost device yields zeros. From now on every new buffer and every read throws the first
 * error that was reported, and a buffer beyond the device's limits is rejected before it is created.
 *
 * @returns a function that removes the guard
 */
export function guardBackend(backend: WebGpuBackend): () => void {
  const { device, bufferManager } = backend;
  let failure: LocalgradError | undefined;
  void device.lost.then(({ reason, message }) => {
    failure ??= new LocalgradError(
      'backend-lost',
      `The GPU device was lost (${reason}): ${message || 'the driver gives no reason'}. Start the program again; what was saved before is whole.`,
    );
  });
  const listen = ({ error }: { readonly error: Error }) => {
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError' || /out.of.memory/i.test(error.message);
    failure ??= isMemory
      ? new LocalgradError(
          'out-of-memory',
          `The GPU ran out of memory with ${mebibytes(bufferManager.numBytesUsed)} in use: ${error.message}. Use smaller batches, more modules or the recompute policy.`,
          { usedBytes: bufferManager.numBytesUsed },
        )
      : new LocalgradError('backend-lost', `The GPU reports an error: ${error.message}`);
  };
  device.addEventListener('uncapturederror', listen);
  const check = () => {
    if (failure !== undefined) throw failure;
  };

  const limits = ['maxBufferSize', 'maxStorageBufferBindingSize'].map((name) => device.limits[name] as number);
  const largest = Math.min(...limits);
  const original = { acquireBuffer: bufferManager.acquireBuffer, read: backend.read };
  const acquire = original.acquireBuffer.bind(bufferManager);
  bufferManager.acquireBuffer = (size, ...rest) => {
    check();
    if (size > largest) {
      throw new LocalgradError(
        'out-of-memory',
        `A tensor of ${mebibytes(size)} is larger than this GPU's largest buffer, ${mebibytes(largest)}. Use smaller batches.`,
        { requestedBytes: size, limitBytes: largest },
      );
    }
    return acquire(size, ...rest);
  };

  const read = original.read.bind(backend);
  backend.read = async (dataId) => {
    try {
      const values = await read(dataId);
      check();
      return values;
    } catch (error) {
      check();
      throw error;
    }
  };
  return () => {
    device.removeEventListener('uncapturederror', listen);
    bufferManager.acquireBuffer = original.acquireBuffer;
    backend.read = original.read;
  };
}
