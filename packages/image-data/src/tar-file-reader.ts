import type { FileHandle } from 'node:fs/promises';
import { damaged, type FileOrigin, type SequentialReader } from '@localgrad/data';

/** Reads a part of a file sequentially; skipping reads nothing, so that the headers of large archives are found quickly. */
export class TarFileReader implements SequentialReader {
  readonly origin: FileOrigin;
  readonly #file: FileHandle;
  readonly #start: number;
  readonly #length: number;
  #offset = 0;

  constructor(file: FileHandle, origin: FileOrigin, start: number, end: number) {
    this.#file = file;
    this.origin = origin;
    this.#start = start;
    this.#length = end - start;
  }

  get offset(): number {
    return this.#offset;
  }

  async isAtEnd(): Promise<boolean> {
    return this.#offset >= this.#length;
  }

  async read(length: number, what: string): Promise<Uint8Array> {
    this.#checkLeft(length, what);
    const bytes = new Uint8Array(length);
    const { bytesRead } = await this.#file.read(bytes, 0, length, this.#start + this.#offset);
    this.#offset += bytesRead;
    if (bytesRead < length) throw damaged(this.origin, this.#offset, `${length} bytes of ${what}`, `${bytesRead}`);
    return bytes;
  }

  async skip(length: number, what: string): Promise<void> {
    this.#checkLeft(length, what);
    this.#offset += length;
  }

  async drain(): Promise<void> {
    this.#offset = this.#length;
  }

  #checkLeft(length: number, what: string): void {
    const left = this.#length - this.#offset;
    if (length <= left) return;
    throw damaged(this.origin, this.#length, `${length} bytes of ${what}`, `${left}: the file is truncated`);
  }
}
