import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { Allocations, type EmscriptenModule, type PendingWork } from './allocations.js';
import { type BackendWithData, waitBeforeLookups } from './tensor-data.js';

/** The heap of the TensorFlow.js wasm backend, addressed by byte offsets instead of tensors. */
export interface WasmHeap {
  /** The memory, which the host may read and write until the next call of a kernel. */
  readonly memory: WebAssembly.Memory;
  /** Whether threads share the heap. */
  readonly shared: boolean;
  /** Byte offset of the values of a tensor. */
  pointer(tensor: tf.Tensor): number;
  /** Whether other handles share the buffer of the tensor, which then must not be overwritten. */
  shares(tensor: tf.Tensor): boolean;
  /** Creates a tensor on the heap, for kernels to write. */
  allocate<T extends tf.Tensor>(shape: readonly number[], dtype?: 'float32' | 'int32'): T;
  /**
   * Memory for kernels to write.
   *
   * @throws LocalgradError `out-of-memory`
   */
  malloc(bytes: number): number;
  free(pointer: number): void;
  /** Returns when all kernels that were called have run, as reading a tensor does; for measurements. */
  finish(): void;
  /** Allocated bytes: tensors, scratch memory of kernels, packed weights. */
  usedBytes(): number;
  /** Bytes that can still be allocated. */
  availableBytes(): number;
  /**
   * From now on, the backend and `memory` wait for this work, and memory is not reused for anything else before it has run. Waits for
   * earlier work of others.
   */
  defer(work: PendingWork): void;
  /** Removes the guard. */
  close(): void;
}

/** The 32-bit address space of WebAssembly, which is also the limit of the backend's build. */
export const maximumHeapBytes = 2 ** 32;

interface WasmBackend extends BackendWithData {
  readonly wasm: EmscriptenModule;
  makeOutput(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
}

/**
 * Opens the heap of the running wasm backend, and guards it: the backend does not check the result of malloc, and beyond
 * 4 GiB silently overwrites tensors (16 tensors of 256 MiB reproduce it).
 *
 * Every operation allocates its result; if a thread of the backend has died, the allocation throws, where the operation
 * would wait for that thread forever.
 *
 * @param limitBytes maximum of allocated bytes
 * @param failure why a thread of the backend died; undefined if all are alive
 */
export function openHeap(
  limitBytes: number = maximumHeapBytes,
  failure: () => string | undefined = () => undefined,
): WasmHeap {
  const backend = tf.backend() as unknown as WasmBackend;
  if (tf.getBackend() !== 'wasm' || backend.wasm === undefined) {
    throw new LocalgradError(
      'misuse',
      `The wasm kernels require the backend 'wasm'; the current backend is '${tf.getBackend()}'.`,
    );
  }
  const module = backend.wasm;
  const allocations = Allocations.of(module, limitBytes, failure);
  const lookup = waitBeforeLookups(backend, () => allocations.finish());
  const memory = (): WebAssembly.Memory => (module.wasmMemory ?? module.asm.memory) as WebAssembly.Memory;
  return {
    get memory() {
      allocations.finish();
      return memory();
    },
    shared: typeof SharedArrayBuffer !== 'undefined' && memory().buffer instanceof SharedArrayBuffer,
    pointer(tensor) {
      const entry = lookup.get(tensor.dataId);
      if (entry === undefined) {
        throw new LocalgradError(
          'misuse',
          `A tensor of shape [${tensor.shape.join(', ')}] is not on the wasm heap: it was disposed or belongs to another backend.`,
        );
      }
      return entry.memoryOffset >>> 0;
    },
    shares: (tensor) => (lookup.get(tensor.dataId)?.refCount ?? 2) > 1,
    allocate<T extends tf.Tensor>(shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): T {
      const info = allocations.forKernels(() => backend.makeOutput(shape, dtype));
      return tf.engine().makeTensorFromTensorInfo(info) as T;
    },
    malloc: (bytes) => allocations.forKernels(() => module._malloc(bytes)) >>> 0,
    free: (pointer) => module._free(pointer),
    finish: () => allocations.finish(),
    usedBytes: () => allocations.usedBytes,
    availableBytes: () => limitBytes - allocations.usedBytes,
    defer: (work) => allocations.defer(work),
    close() {
      allocations.close();
      // What was not computed must not be read.
      if (allocations.isIdle) lookup.close();
    },
  };
}
