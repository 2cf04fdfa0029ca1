/// <reference lib="es2024.sharedmemory" />

/** Positions of the counters in front of the data: bytes written and read so far, modulo a multiple of the capacity. */
const written = 0;
const read = 1;
const headerBytes = 8;
/** Largest capacity: counters of 32 bits distinguish a full ring from an empty one. */
const mostBytes = 2 ** 31;

/**
 * A stream of bytes between two threads of a process, through shared memory of a fixed size: one writes, the other reads.
 * Messages may be larger than the memory.
 */
export class SharedRing {
  /** Send this to the other thread, and create a ring on it there. */
  readonly memory: SharedArrayBuffer;
  readonly #counters: Int32Array;
  readonly #bytes: Uint8Array;
  /** Where counters start again at 0, which is the place that follows: both ends may be anywhere then. */
  readonly #modulus: number;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#counters = new Int32Array(memory, 0, 2);
    this.#bytes = new Uint8Array(memory, headerBytes);
    const { length } = this.#bytes;
    this.#modulus = Math.floor(2 ** 32 / length) * length;
  }

  /** A ring with new memory: of `bytes`, or of 2 GiB if that is less. */
  static withCapacity(bytes: number): SharedRing {
    return new SharedRing(new SharedArrayBuffer(headerBytes + Math.min(bytes, mostBytes)));
  }

  /** Whether everything that was written has been read. */
  get isEmpty(): boolean {
    return Atomics.load(this.#counters, written) === Atomics.load(this.#counters, read);
  }

  /** Writes all bytes; blocks the thread while the ring is full. */
  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const before = Atomics.load(this.#counters, read);
      const count = this.#writeSome(bytes.subarray(done));
      done += count;
      if (count === 0) Atomics.wait(this.#counters, read, before);
    }
  }

  /** Like `write`, without blocking the thread. */
  async writeLater(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const before = Atomics.load(this.#counters, read);
      const count = this.#writeSome(bytes.subarray(done));
      done += count;
      if (count === 0) await Atomics.waitAsync(this.#counters, read, before).value;
    }
  }

  /** Fills an array; blocks the thread until all bytes have been written. */
  read(into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const before = Atomics.load(this.#counters, written);
      const count = this.#readSome(into.subarray(done));
      done += count;
      if (count === 0) Atomics.wait(this.#counters, written, before);
    }
  }

  /** Like `read`, without blocking the thread. */
  async readLater(into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const before = Atomics.load(this.#counters, written);
      const count = this.#readSome(into.subarray(done));
      done += count;
      if (count === 0) await Atomics.waitAsync(this.#counters, written, before).value;
    }
  }

  #writeSome(bytes: Uint8Array): number {
    const start = Atomics.load(this.#counters, written);
    const used = this.#distance(Atomics.load(this.#counters, read), start);
    const count = Math.min(bytes.length, this.#bytes.length - used);
    this.#copy(start, count, (place, from, to) => this.#bytes.set(bytes.subarray(from, to), place));
    this.#advance(written, start, count);
    return count;
  }

  #readSome(into: Uint8Array): number {
    const start = Atomics.load(this.#counters, read);
    const available = this.#distance(start, Atomics.load(this.#counters, written));
    const count = Math.min(into.length, available);
    this.#copy(start, count, (place, from, to) => into.set(this.#bytes.subarray(place, place + to - from), from));
    this.#advance(read, start, count);
    return count;
  }

  /** Bytes from one counter to another, ahead of it or equal. */
  #distance(from: number, to: number): number {
    const difference = (to >>> 0) - (from >>> 0);
    return difference < 0 ? difference + this.#modulus : difference;
  }

  /** Calls `copy` for the one or two pieces of the memory that contain `count` bytes. */
  #copy(start: number, count: number, copy: (place: number, from: number, to: number) => void): void {
    const place = (start >>> 0) % this.#bytes.length;
    const first = Math.min(count, this.#bytes.length - place);
    if (first > 0) copy(place, 0, first);
    if (count > first) copy(0, first, count);
  }

  #advance(counter: typeof written | typeof read, start: number, count: number): void {
    if (count === 0) return;
    const next = (start >>> 0) + count;
    Atomics.store(this.#counters, counter, (next < this.#modulus ? next : next - this.#modulus) | 0);
    Atomics.notify(this.#counters, counter);
  }
}
