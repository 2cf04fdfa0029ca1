import { LocalgradError } from '@localgrad/core';
import { dataOf, type WebGpuBackend } from './program.js';

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/**
 * Turns GPU errors into exceptions. WebGPU reports an error as an event, long after the call that caused it; without the
 * guard, a step on a lost device yields zeros. With it, every new buffer and every read throws the first reported error,
 * and a buffer beyond the device limits is rejected before it is created. Synchronous reads are rejected where they cannot work.
 *
 * @returns removes the guard
 */
export function guardBackend(backend: WebGpuBackend): () => void {
  const { device, bufferManager } = backend;
  let failure: LocalgradError | undefined;
  void device.lost.then(({ reason, message }) => {
    failure ??= new LocalgradError(
      'backend-lost',
      `The GPU device was lost (${reason}): ${message || 'the driver reports no reason'}. Start the program again, or reload the page; what was saved before is intact.`,
    );
  });
  const listen = ({ error }: { readonly error: Error }) => {
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError' || /out.of.memory/i.test(error.message);
    failure ??= isMemory
      ? new LocalgradError(
          'out-of-memory',
          `The GPU ran out of memory with ${mebibytes(bufferManager.numBytesUsed)} in use: ${error.message}. Use a smaller batch, more modules, or the recompute executor.`,
          { usedBytes: bufferManager.numBytesUsed },
        )
      : new LocalgradError('backend-lost', `The GPU reported an error: ${error.message}`);
  };
  device.addEventListener('uncapturederror', listen);
  const check = () => {
    if (failure !== undefined) throw failure;
  };

  const limits = ['maxBufferSize', 'maxStorageBufferBindingSize'].map((name) => device.limits[name] as number);
  const largest = Math.min(...limits);
  const original = { acquireBuffer: bufferManager.acquireBuffer, read: backend.read, readSync: backend.readSync };
  const acquire = original.acquireBuffer.bind(bufferManager);
  bufferManager.acquireBuffer = (size, ...rest) => {
    check();
    if (size > largest) {
      throw new LocalgradError(
        'out-of-memory',
        `A tensor of ${mebibytes(size)} exceeds the largest buffer of this GPU, ${mebibytes(largest)}. Use a smaller batch.`,
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
  const readSync = original.readSync.bind(backend);
  backend.readSync = (dataId) => {
    // TensorFlow.js reads through a canvas.
    if (dataOf(backend, dataId)?.values == null && !('OffscreenCanvas' in globalThis)) {
      throw new LocalgradError(
        'misuse',
        'A GPU is read synchronously in browsers only, by Tensor.dataSync() or by operations on another backend: ' +
          'on the webgpu backend in Node, use `await tensor.data()`.',
      );
    }
    return readSync(dataId);
  };
  return () => {
    device.removeEventListener('uncapturederror', listen);
    bufferManager.acquireBuffer = original.acquireBuffer;
    backend.read = original.read;
    backend.readSync = original.readSync;
  };
}
