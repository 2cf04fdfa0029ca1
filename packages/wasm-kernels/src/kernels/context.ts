import type { Tensor } from '@tensorflow/tfjs';
import { boundsOf, type EvenPieces, type KernelPool } from '../pool/pool.js';
import type { WasmHeap } from '../runtime/heap.js';

/** Number of elements below which one thread finishes before the others wake up. */
export const MINIMUM_FOR_THREADS = 16_384;

/** Shared by all kernels: the heap, the threads, and views of numbers on the heap. */
export interface KernelContext {
  readonly heap: WasmHeap;
  readonly pool: KernelPool;
  /** Calls `body` with scratch memory that is freed afterwards. */
  scratch<T>(bytes: number, body: (pointer: number) => T): T;
  /**
   * A view that is valid until the next allocation (the heap may move when it grows), and the next call of a kernel. Waits for the
   * kernels that have been called, as all views do.
   */
  floats(pointer: number, length: number): Float32Array;
  doubles(pointer: number, length: number): Float64Array;
  integers(pointer: number, length: number): Int32Array;
  values(tensor: Tensor): Float32Array;
  /**
   * Views of several tensors. A tensor of another backend moves to the heap on first use, which may grow the heap; all
   * views are therefore created after all tensors have moved.
   */
  valuesOf<Tensors extends readonly Tensor[]>(...tensors: Tensors): { [Index in keyof Tensors]: Float32Array };
}

export function createContext(heap: WasmHeap, pool: KernelPool): KernelContext {
  const valuesAt = (pointer: number, { size }: Tensor) => new Float32Array(heap.memory.buffer, pointer, size);
  return {
    heap,
    get pool() {
      // Kernels of other threads may run on the same heap.
      heap.defer(pool);
      return pool;
    },
    scratch(bytes, body) {
      const pointer = heap.malloc(bytes);
      try {
        return body(pointer);
      } finally {
        heap.free(pointer);
      }
    },
    floats: (pointer, length) => new Float32Array(heap.memory.buffer, pointer, length),
    doubles: (pointer, length) => new Float64Array(heap.memory.buffer, pointer, length),
    integers: (pointer, length) => new Int32Array(heap.memory.buffer, pointer, length),
    values: (tensor) => valuesAt(heap.pointer(tensor), tensor),
    valuesOf: (...tensors) => {
      const pointers = tensors.map((tensor) => heap.pointer(tensor));
      return tensors.map((tensor, index) => valuesAt(pointers[index] ?? 0, tensor)) as never;
    },
  };
}

/** Even pieces with the bounds of each, for kernels whose pieces have further arguments of their own. */
export interface Pieces extends EvenPieces {
  bounds(piece: number): [first: number, end: number];
}

/** Cuts items into at most `most` pieces of whole `quantum`s; independent of the number of threads. */
export function pieces(items: number, most: number, quantum = 1): Pieces {
  const size = Math.max(quantum, Math.ceil(Math.ceil(items / most) / quantum) * quantum);
  const count = Math.max(1, Math.ceil(items / size));
  return { count, size, items, bounds: (piece) => boundsOf({ size, items }, piece) };
}
