import { type BufferRules, ReplayBuffer } from '@localgrad/asynchronous';
import { LocalgradError, type RandomSource } from '@localgrad/core';
import { SharedLock } from './shared-lock.js';

/** A stored batch, copied from its slot. */
export interface ReadBatch {
  /** Step of the first module that the batch was the data of. */
  readonly batch: number;
  /** Number of batches that were stored before it. */
  readonly output: number;
  /** Its content, as it was stored. */
  readonly bytes: Uint8Array;
}

/** Fields in front of the slots: the lock, the number of writes, and four fields for each slot. */
const lock = 0;
const writes = 1;
const fieldsBefore = 2;
const fieldsPerSlot = 4;
const [readsField, batchField, outputField, lengthField] = [0, 1, 2, 3] as const;

/**
 * A replay buffer in shared memory: one thread writes, another one reads, and neither waits for the other longer than it takes
 * to copy one batch. Its memory never grows.
 */
export class SharedReplayBuffer {
  /** Send this to the other thread, and create a buffer with the same rules on it there. */
  readonly memory: SharedArrayBuffer;
  readonly #rules: BufferRules;
  readonly #fields: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #slotBytes: number;
  readonly #lock: SharedLock;

  constructor(rules: BufferRules, memory: SharedArrayBuffer) {
    this.#rules = rules;
    this.memory = memory;
    const headerBytes = headerBytesOf(rules);
    this.#fields = new Int32Array(memory, 0, headerBytes / Int32Array.BYTES_PER_ELEMENT);
    this.#bytes = new Uint8Array(memory, headerBytes);
    this.#slotBytes = this.#bytes.length / rules.bufferSize;
    this.#lock = new SharedLock(this.#fields, lock);
  }

  /** An empty buffer. @param slotBytes largest size of a batch */
  static create(rules: BufferRules, slotBytes: number): SharedReplayBuffer {
    return new SharedReplayBuffer(
      rules,
      new SharedArrayBuffer(headerBytesOf(rules) + rules.bufferSize * Math.ceil(slotBytes)),
    );
  }

  /** Stores a batch in place of the oldest one. @throws LocalgradError `invalid-data` if it is larger than a slot */
  write(batch: number, bytes: Uint8Array): void {
    if (bytes.length > this.#slotBytes) {
      throw new LocalgradError(
        'invalid-data',
        `A batch for the replay buffer has ${bytes.length} bytes, more than the ${this.#slotBytes} of a slot. ` +
          'Pass createTargets to compilePlan, from which the size of targets is known.',
        { bytes: bytes.length, slotBytes: this.#slotBytes },
      );
    }
    this.#lock.hold(() => {
      const buffer = this.#buffer();
      const output = this.#fields[writes] ?? 0;
      const slot = buffer.write();
      this.#keep(buffer);
      this.#set(slot, batchField, batch);
      this.#set(slot, outputField, output);
      this.#set(slot, lengthField, bytes.length);
      this.#bytes.set(bytes, slot * this.#slotBytes);
    });
  }

  /** The batch to read next by the buffer's rules; undefined if none may be read. @param random see `ReplayBuffer` */
  read(random: () => RandomSource): ReadBatch | undefined {
    return this.#lock.hold(() => {
      const buffer = this.#buffer();
      const slot = buffer.read(random);
      if (slot === undefined) return undefined;
      this.#keep(buffer);
      const start = slot * this.#slotBytes;
      return {
        batch: this.#get(slot, batchField),
        output: this.#get(slot, outputField),
        bytes: this.#bytes.slice(start, start + this.#get(slot, lengthField)),
      };
    });
  }

  /** The rules with the state in the memory. */
  #buffer(): ReplayBuffer {
    const count = this.#fields[writes] ?? 0;
    const slots = Math.min(count, this.#rules.bufferSize);
    const reads = Array.from({ length: slots }, (_, slot) => this.#get(slot, readsField));
    return new ReplayBuffer(this.#rules, { writes: count, reads });
  }

  #keep(buffer: ReplayBuffer): void {
    const state = buffer.state();
    this.#fields[writes] = state.writes;
    state.reads.forEach((reads, slot) => {
      this.#set(slot, readsField, reads);
    });
  }

  #get(slot: number, field: number): number {
    return this.#fields[fieldsBefore + slot * fieldsPerSlot + field] ?? 0;
  }

  #set(slot: number, field: number, value: number): void {
    this.#fields[fieldsBefore + slot * fieldsPerSlot + field] = value;
  }
}

function headerBytesOf({ bufferSize }: BufferRules): number {
  return Int32Array.BYTES_PER_ELEMENT * (fieldsBefore + fieldsPerSlot * bufferSize);
}
