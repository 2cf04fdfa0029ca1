import { type DataFile, damaged } from '../files.js';

/** A file for error messages: its path, and the source of an intact copy. */
export type FileOrigin = Pick<DataFile, 'path' | 'howToGetIt'>;

/** Sequential reader of bytes. `ByteReader` reads a stream; a reader of a file can skip without reading. */
export interface SequentialReader {
  readonly origin: FileOrigin;
  /** Bytes read so far. */
  readonly offset: number;
  isAtEnd(): Promise<boolean>;
  /** Reads exactly `length` bytes. @throws LocalgradError `invalid-data` if the content ends before */
  read(length: number, what: string): Promise<Uint8Array>;
  skip(length: number, what: string): Promise<void>;
  /** Reads to the end. */
  drain(): Promise<void>;
}

const allocatedAtOnce = 2 ** 20;

/** Reads a stream of bytes sequentially, and counts its offset. Keeps one chunk in memory besides the requested bytes. */
export class ByteReader implements SequentialReader {
  readonly origin: FileOrigin;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #offset = 0;

  constructor(chunks: AsyncIterable<Uint8Array>, origin: FileOrigin) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.origin = origin;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether no byte is left. */
  async isAtEnd(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** Reads exactly `length` bytes into new memory. @throws LocalgradError `invalid-data` if the stream ends before */
  async read(length: number, what: string): Promise<Uint8Array> {
    if (length > allocatedAtOnce) return this.#collect(length, what);
    const bytes = new Uint8Array(length);
    await this.readInto(bytes, what);
    return bytes;
  }

  async readInto(target: Uint8Array, what: string): Promise<void> {
    let position = 0;
    for await (const part of this.slice(target.length, what)) {
      target.set(part, position);
      position += part.length;
    }
  }

  async skip(length: number, what: string): Promise<void> {
    for await (const _ of this.slice(length, what));
  }

  /** Reads to the end, where checksums of compressed streams are verified. */
  async drain(): Promise<void> {
    while (await this.#fill()) {
      this.#offset += this.#chunk.length;
      this.#chunk = new Uint8Array(0);
    }
  }

  /** Yields the next `length` bytes in pieces as they arrive, e.g. for a decompressor. */
  async *slice(length: number, what: string): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      if (!(await this.#fill())) {
        throw damaged(
          this.origin,
          this.#offset,
          `${length} bytes of ${what}`,
          `the end after ${length - left}: the file is truncated`,
        );
      }
      const part = this.#chunk.subarray(0, left);
      this.#chunk = this.#chunk.subarray(part.length);
      this.#offset += part.length;
      left -= part.length;
      yield part;
    }
  }

  /** A length that a damaged file claims must not take memory before its bytes arrive. */
  async #collect(length: number, what: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.slice(length, what)) parts.push(part);
    const bytes = new Uint8Array(length);
    let position = 0;
    for (const part of parts) {
      bytes.set(part, position);
      position += part.length;
    }
    return bytes;
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return false;
      this.#chunk = value;
    }
    return true;
  }
}
