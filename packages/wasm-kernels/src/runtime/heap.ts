import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';

/** The heap of the TensorFlow.js wasm backend, addressed by byte offsets instead of tensors. */
export interface WasmHeap {
  readonly memory: WebAssembly.Memory;
  /** Whether threads share the heap. */
  readonly shared: boolean;
  /** Byte offset of the values of a tensor. */
  pointer(tensor: tf.Tensor): number;
  /** Whether other handles share the buffer of the tensor, which then must not be overwritten. */
  shares(tensor: tf.Tensor): boolean;
  /** Creates an uninitialized tensor on the heap. */
  allocate<T extends tf.Tensor>(shape: readonly number[], dtype?: 'float32' | 'int32'): T;
  /** @throws LocalgradError `out-of-memory` */
  malloc(bytes: number): number;
  free(pointer: number): void;
  /** Allocated bytes: tensors, scratch memory of kernels, packed weights. */
  usedBytes(): number;
  /** Bytes that can still be allocated. */
  availableBytes(): number;
  /** Removes the guard. */
  close(): void;
}

/** The 32-bit address space of WebAssembly, which is also the limit of the backend's build. */
export const maximumHeapBytes = 2 ** 32;

interface EmscriptenModule {
  wasmMemory?: WebAssembly.Memory;
  asm: { memory?: WebAssembly.Memory; malloc(bytes: number): number; free(pointer: number): void };
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  HEAPU8: Uint8Array;
}

interface WasmBackend {
  readonly wasm: EmscriptenModule;
  readonly dataIdMap: { get(dataId: object): { memoryOffset: number; refCount: number } | undefined };
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
  const memory = (): WebAssembly.Memory => (module.wasmMemory ?? module.asm.memory) as WebAssembly.Memory;
  const guard = guardAllocations(module, limitBytes, failure);
  return {
    get memory() {
      return memory();
    },
    shared: typeof SharedArrayBuffer !== 'undefined' && memory().buffer instanceof SharedArrayBuffer,
    pointer(tensor) {
      const entry = backend.dataIdMap.get(tensor.dataId);
      if (entry === undefined) {
        throw new LocalgradError(
          'misuse',
          `A tensor of shape [${tensor.shape.join(', ')}] is not on the wasm heap: it was disposed or belongs to another backend.`,
        );
      }
      return entry.memoryOffset >>> 0;
    },
    shares: (tensor) => (backend.dataIdMap.get(tensor.dataId)?.refCount ?? 2) > 1,
    allocate<T extends tf.Tensor>(shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): T {
      const info = backend.makeOutput(shape, dtype);
      return tf.engine().makeTensorFromTensorInfo(info) as T;
    },
    malloc: (bytes) => module._malloc(bytes) >>> 0,
    free: (pointer) => module._free(pointer),
    usedBytes: guard.usedBytes,
    availableBytes: () => limitBytes - guard.usedBytes(),
    close: guard.remove,
  };
}

function lostError(reason: string): LocalgradError {
  return new LocalgradError(
    'backend-lost',
    `A thread of the wasm backend died: ${reason}. Start the backend again; existing tensors can still be read.`,
  );
}

interface Guard {
  usedBytes(): number;
  remove(): void;
}

const guards = new WeakMap<EmscriptenModule, Guard>();

/** Counts allocated bytes, and throws where the backend would write to address 0 or wait for a dead thread. */
function guardAllocations(module: EmscriptenModule, limitBytes: number, failure: () => string | undefined): Guard {
  const known = guards.get(module);
  if (known !== undefined) return known;
  const sizes = new Map<number, number>();
  let used = 0;
  const { malloc, free } = module.asm;
  const original = { malloc: module._malloc, free: module._free };
  const refuse = (bytes: number): never => {
    throw new LocalgradError(
      'out-of-memory',
      `The wasm heap is exhausted: ${bytes} bytes were requested, and ${used} of ${limitBytes} bytes are in use. ` +
        'Use a smaller batch, more modules, or the recompute executor.',
      { requestedBytes: bytes, usedBytes: used, limitBytes },
    );
  };
  // Emscripten replaces module._malloc by its own stub on the first call, so both names must be set.
  module._malloc = (bytes) => {
    const reason = failure();
    if (reason !== undefined) throw lostError(reason);
    if (used + bytes > limitBytes) refuse(bytes);
    const pointer = malloc(bytes) >>> 0;
    if (pointer === 0 && bytes > 0) refuse(bytes);
    sizes.set(pointer, bytes);
    used += bytes;
    return pointer;
  };
  module._free = (pointer) => {
    const address = pointer >>> 0;
    used -= sizes.get(address) ?? 0;
    sizes.delete(address);
    free(pointer);
  };
  const guard = {
    usedBytes: () => used,
    remove() {
      module._malloc = original.malloc;
      module._free = original.free;
      guards.delete(module);
    },
  };
  guards.set(module, guard);
  return guard;
}
