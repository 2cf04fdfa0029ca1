import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';

/** The heap of TensorFlow.js' wasm backend, as our kernels see it: byte offsets instead of tensors. */
export interface WasmHeap {
  readonly memory: WebAssembly.Memory;
  /** Other threads can see it. */
  readonly shared: boolean;
  /** Byte offset of a tensor's values. */
  pointer(tensor: tf.Tensor): number;
  /** True if other handles share the tensor's buffer, so that it must not be overwritten. */
  shares(tensor: tf.Tensor): boolean;
  /** An uninitialized tensor on the heap. */
  allocate<T extends tf.Tensor>(shape: readonly number[], dtype?: 'float32' | 'int32'): T;
  /** @throws LocalgradError `out-of-memory` */
  malloc(bytes: number): number;
  free(pointer: number): void;
  /** Bytes handed out by malloc and not freed: tensors, kernels' scratch memory, packed weights. */
  usedBytes(): number;
  /** What the heap may still grow to hold. */
  availableBytes(): number;
  /** Removes the guard. */
  close(): void;
}

/** WebAssembly's 32-bit address space, which is also what the backend's build allows. */
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
 * Opens the heap of the running wasm backend, and guards it: the backend does not check the result of its malloc, so that
 * past 4 GiB it silently overwrites tensors (16 tensors of 256 MiB show it).
 *
 * Every operation allocates its result: one that would wait for a dead thread of the backend throws there instead.
 *
 * @param limitBytes largest number of bytes that may be allocated in total
 * @param failure why a thread of the backend is dead, if one is
 */
export function openHeap(
  limitBytes: number = maximumHeapBytes,
  failure: () => string | undefined = () => undefined,
): WasmHeap {
  const backend = tf.backend() as unknown as WasmBackend;
  if (tf.getBackend() !== 'wasm' || backend.wasm === undefined) {
    throw new LocalgradError('misuse', `The wasm kernels need the wasm backend, but '${tf.getBackend()}' is running.`);
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
    `A thread of the wasm backend died: ${reason}. Start the backend again; tensors that exist can still be read.`,
  );
}

interface Guard {
  usedBytes(): number;
  remove(): void;
}

const guards = new WeakMap<EmscriptenModule, Guard>();

/** Counts what malloc hands out, and throws where the backend would write to address 0 or wait for a dead thread. */
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
      `The wasm heap is exhausted: ${bytes} bytes were asked for, ${used} of ${limitBytes} bytes are in use. ` +
        'Use a smaller batch, more modules, or the recompute executor.',
      { requestedBytes: bytes, usedBytes: used, limitBytes },
    );
  };
  // Emscripten replaces module._malloc by a stub of its own at the first call, so that both names must be set.
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
