import { at, get } from '@localgrad/core';
import { type GpuBuffer, usage } from '../gpu.js';
import { dataOf, type WebGpuBackend } from '../program.js';
import type { Arena } from './arena.js';
import type { LeanOperations } from './copies.js';
import { type MemoryPlan, planMemory, resolvePlace } from './memory-plan.js';
import { findHomes, type Move, orderMoves, type StateHomes } from './state-moves.js';
import { type Place, placesOf, type StepTrace } from './trace.js';
import { roundUp } from './uniforms.js';

export interface BufferPart {
  readonly buffer: GpuBuffer;
  readonly offset: number;
}

const alignment = 256;
const storageUsage = usage.storage | usage.copySource | usage.copyTarget;

/** The buffers of a recording. */
export class RecordingBuffers {
  readonly plan: MemoryPlan;
  /** Copies that bring new state to where the next step reads it. */
  readonly moves: readonly Move<GpuBuffer>[];
  /** Persistent tensors that are neither state nor inputs; the recording contains copies of them. */
  readonly constants: readonly object[];
  readonly #backend: WebGpuBackend;
  readonly #trace: StepTrace;
  readonly #lean: LeanOperations;
  readonly #homes: StateHomes;
  readonly #arena: Arena;
  readonly #slots: readonly GpuBuffer[];
  readonly #own = new Map<object, BufferPart>();

  /** @throws NotRecordable with the reason if the state cannot be kept in place */
  constructor(backend: WebGpuBackend, arena: Arena, trace: StepTrace, lean: LeanOperations) {
    this.#backend = backend;
    this.#trace = trace;
    this.#lean = lean;
    this.#arena = arena;
    const homes = findHomes(trace);
    this.#homes = typeof homes === 'string' ? fail(homes) : homes;
    const lasting = new Set([...trace.after, ...trace.outputs.values()].map(({ root }) => root));
    this.plan = planMemory(trace, lean, lasting);
    this.#slots = arena.take(this.plan.slots);
    try {
      this.#createUploads();
      for (const { root, bytes } of trace.inputs.values()) this.#own.set(root, this.#create(bytes));
      this.constants = this.#copyConstants();
      this.moves = orderMoves(this.#moves()) ?? fail('its state changes places in a circle');
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Where an operation finds a tensor. */
  partOf(place: Place): BufferPart {
    const { root, offset } = resolvePlace(place, this.#lean.moved);
    const { buffer, offset: start } = this.#partOfRoot(root);
    return { buffer, offset: start + offset };
  }

  dispose(): void {
    this.#arena.release();
    for (const buffer of new Set([...this.#own.values()].map((part) => part.buffer))) {
      this.#backend.bufferManager.releaseBuffer(buffer, false);
    }
    this.#own.clear();
  }

  #partOfRoot(root: object): BufferPart {
    const successor = this.#homes.successors.get(root);
    if (successor !== undefined) return { buffer: this.#deviceBuffer(successor), offset: 0 };
    const slot = this.plan.slotOf.get(root);
    if (slot !== undefined) return { buffer: at(this.#slots, slot, 'slot'), offset: 0 };
    return get(this.#own, root, 'buffer');
  }

  /** The buffer in which the backend has a tensor now. */
  #deviceBuffer(root: object): GpuBuffer {
    const buffer = dataOf(this.#backend, root)?.resource;
    if (buffer == null) throw new NotRecordable('its state is not on the device');
    return buffer;
  }

  /** Values that never change share a buffer; each computed tensor has its own. */
  #createUploads(): void {
    const { uploads } = this.#trace;
    let length = 0;
    const offsets = new Map<object, number>();
    for (const [root, { values, compute }] of uploads) {
      if (compute !== undefined) this.#own.set(root, this.#create(values.byteLength));
      else {
        offsets.set(root, length);
        length += roundUp(Math.max(4, values.byteLength), alignment);
      }
    }
    if (length === 0) return;
    const { buffer } = this.#create(length);
    for (const [root, offset] of offsets) {
      this.#own.set(root, { buffer, offset });
      this.#backend.device.queue.writeBuffer(buffer, offset, get(uploads, root, 'upload').values);
    }
  }

  #copyConstants(): object[] {
    const { created, inputs, bytes } = this.#trace;
    const known = new Set([...inputs.values()].map(({ root }) => root));
    const constants: object[] = [];
    for (const operation of this.#lean.operations) {
      if (operation === undefined) continue;
      const places = placesOf(operation);
      const written = operation.kind === 'copy' ? 1 : operation.written;
      places.forEach(({ root }, index) => {
        const isOurs = created.has(root) || this.#homes.successors.has(root);
        if (isOurs) return;
        if (index < written) throw new NotRecordable('it changes a tensor that is not declared as state');
        if (known.has(root)) return;
        known.add(root);
        constants.push(root);
        this.#own.set(root, this.#copyOf(root, get(bytes, root, 'buffer')));
      });
    }
    return constants;
  }

  #copyOf(root: object, bytes: number): BufferPart {
    const part = this.#create(bytes);
    const { device } = this.#backend;
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#deviceBuffer(root), 0, part.buffer, 0, bytes);
    device.queue.submit([encoder.finish()]);
    return part;
  }

  #moves(): Move<GpuBuffer>[] {
    return [...this.#homes.successors].flatMap(([old, next]) => {
      if (old === next) return [];
      const to = this.#deviceBuffer(next);
      const { buffer: from } = this.#partOfRoot(next);
      return [{ from, to, bytes: get(this.#trace.bytes, next, 'buffer') }];
    });
  }

  #create(bytes: number): BufferPart {
    const size = Math.max(4, bytes);
    return { buffer: this.#backend.bufferManager.acquireBuffer(size, storageUsage), offset: 0 };
  }
}

/** A step that cannot be recorded; the message is the reason. */
export class NotRecordable extends Error {}

function fail(reason: string): never {
  throw new NotRecordable(reason);
}
