import type { GpuBuffer } from '../gpu.js';
import { usage } from '../gpu.js';
import type { WebGpuBackend } from '../program.js';

/** Buffers for the temporary tensors of recordings, which share them: only one recording runs at a time. */
export class Arena {
  readonly #backend: WebGpuBackend;
  #buffers: GpuBuffer[] = [];
  #users = 0;

  constructor(backend: WebGpuBackend) {
    this.#backend = backend;
  }

  /** Bytes of all buffers. */
  get bytes(): number {
    return this.#buffers.reduce((sum, { size }) => sum + size, 0);
  }

  /** Buffers of at least these sizes, in descending order. */
  take(sizes: readonly number[]): GpuBuffer[] {
    this.#users++;
    const free = [...this.#buffers];
    return sizes.map((size) => {
      const index = free.findLastIndex((buffer) => buffer.size >= size);
      const [known] = index < 0 ? [] : free.splice(index, 1);
      return known ?? this.#create(size);
    });
  }

  /** Destroys the buffers when no recording uses them any more. */
  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    for (const buffer of this.#buffers) this.#backend.bufferManager.releaseBuffer(buffer, false);
    this.#buffers = [];
  }

  #create(size: number): GpuBuffer {
    const buffer = this.#backend.bufferManager.acquireBuffer(size, usage.storage | usage.copySource | usage.copyTarget);
    this.#buffers.push(buffer);
    this.#buffers.sort((a, b) => b.size - a.size);
    return buffer;
  }
}

/** Destroys the free buffers of the backend's pool, which ordinary steps have filled and replays never use. */
export function trimPool({ bufferManager }: WebGpuBackend): void {
  for (const buffers of bufferManager.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      bufferManager.numFreeBuffers--;
      bufferManager.numBytesAllocated -= buffer.size;
      buffer.destroy();
    }
  }
}

/** Submits what the backend has encoded, so that commands encoded elsewhere run after it. */
export function flush(backend: WebGpuBackend): void {
  if (backend.commandEncoder === null) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}
