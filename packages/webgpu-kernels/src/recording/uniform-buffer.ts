import { at, get } from '@localgrad/core';
import { type GpuBuffer, type GpuDevice, usage } from '../gpu.js';
import type { LeanOperations } from './copies.js';
import { roundUp, type UniformBlock } from './uniforms.js';

/** Part of the buffer that contains the uniforms of all operations. */
export interface UniformPlace {
  readonly offset: number;
  readonly size: number;
}

/** One buffer with the uniforms of all operations. Blocks that change come first; equal ones that do not are shared. */
export class UniformBuffer {
  readonly buffer: GpuBuffer;
  readonly #device: GpuDevice;
  readonly #places = new Map<number, UniformPlace>();
  /** The blocks that change, as they are on the device. */
  readonly #mirror: Float32Array;
  #isChanged = false;

  /** @param changing indices of the operations whose uniforms change */
  constructor(device: GpuDevice, { operations }: LeanOperations, changing: ReadonlySet<number>) {
    this.#device = device;
    const alignment = device.limits.minUniformBufferOffsetAlignment ?? 256;
    const blocks: { readonly offset: number; readonly block: UniformBlock }[] = [];
    const shared = new Map<string, UniformPlace>();
    let length = 0;
    const add = (index: number, block: UniformBlock): UniformPlace => {
      const place = { offset: length, size: block.bytes.byteLength };
      blocks.push({ offset: length, block });
      length += roundUp(place.size, alignment);
      this.#places.set(index, place);
      return place;
    };
    operations.forEach((operation, index) => {
      if (operation?.kind === 'dispatch' && changing.has(index)) add(index, operation.uniforms);
    });
    const changingLength = length;
    operations.forEach((operation, index) => {
      if (operation?.kind !== 'dispatch' || changing.has(index)) return;
      const key = new Uint32Array(operation.uniforms.bytes).join();
      const known = shared.get(key);
      if (known === undefined) shared.set(key, add(index, operation.uniforms));
      else this.#places.set(index, known);
    });
    const size = Math.max(length, alignment);
    const content = new Uint8Array(size);
    for (const { offset, block } of blocks) content.set(new Uint8Array(block.bytes), offset);
    this.buffer = device.createBuffer({ size, usage: usage.uniform | usage.copyTarget, label: 'localgrad uniforms' });
    device.queue.writeBuffer(this.buffer, 0, content);
    this.#mirror = new Float32Array(content.buffer.slice(0, changingLength));
  }

  placeOf(operation: number): UniformPlace {
    return get(this.#places, operation, 'uniforms of operation');
  }

  /** Sets a number of an operation whose uniforms change. @param offset in bytes */
  set(operation: number, offset: number, value: number): void {
    const index = (this.placeOf(operation).offset + offset) / 4;
    if (at(this.#mirror, index, 'uniform') === Math.fround(value)) return;
    this.#mirror[index] = value;
    this.#isChanged = true;
  }

  /** Writes what has changed to the device. */
  write(): void {
    if (this.#isChanged) this.#device.queue.writeBuffer(this.buffer, 0, this.#mirror);
    this.#isChanged = false;
  }
}
