import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { codeOf, fileSystem, foldersWithoutSync, isOtherThanFile, isUnsupported } from './file-system.js';
import { explainReadError, explainWriteError } from './write-errors.js';

/**
 * A file of lines that grows while a run trains. Every line reaches the operating system before training continues.
 *
 * Each attempt writes to its own file, which replaces the previous one under the same name. An attempt that was taken over
 * while it slept has the replaced file open, and so cannot write to its successor's.
 */
export class AppendedFile {
  readonly #file: string;
  readonly #descriptor: number;
  #bytes: number;

  /**
   * @param bytes when resuming: lines after that many bytes, which were written after the checkpoint, are dropped, and so is an incomplete line before. Undefined starts an empty file
   * @param beforeVisible called just before the file gets its name; may throw to prevent that
   */
  constructor(file: string, bytes?: number, beforeVisible?: () => void) {
    this.#file = file;
    const partial = `${file}.${randomUUID()}.partial`;
    this.#bytes = bytes === undefined ? 0 : wholeLineBytes(file, bytes);
    try {
      this.#descriptor = fileSystem.openSync(partial, 'wx+');
      try {
        if (this.#bytes > 0) copyStart(file, this.#descriptor, this.#bytes);
        this.#sync();
        beforeVisible?.();
        fileSystem.renameSync(partial, file);
        syncFolderNow(dirname(file));
      } catch (error) {
        fileSystem.closeSync(this.#descriptor);
        throw error;
      }
    } catch (error) {
      removeQuietly(partial);
      throw explainWriteError(file, error);
    }
  }

  /** Bytes written; stored in checkpoints. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns when all lines have reached the disk: before a checkpoint or a summary relies on them. */
  sync(): void {
    try {
      this.#sync();
    } catch (error) {
      throw explainWriteError(this.#file, error);
    }
  }

  close(): void {
    fileSystem.closeSync(this.#descriptor);
  }

  append(text: string): void {
    const line = Buffer.from(text);
    try {
      writeAll(this.#descriptor, line, this.#bytes);
    } catch (error) {
      throw explainWriteError(this.#file, error);
    }
    this.#bytes += line.length;
  }

  #sync(): void {
    try {
      fileSystem.fsyncSync(this.#descriptor);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    }
  }
}

const newline = 10;
const chunkBytes = 65536;

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fileSystem.writeSync(descriptor, bytes.subarray(done), position + done);
  }
}

function copyStart(file: string, to: number, bytes: number): void {
  const from = readingFrom(file, () => fileSystem.openSync(file, 'r'));
  try {
    for (let done = 0; done < bytes; ) {
      const chunk = new Uint8Array(Math.min(chunkBytes, bytes - done));
      const read = readingFrom(file, () => fileSystem.readSync(from, chunk, done));
      // The file was truncated since it was measured.
      if (read === 0) return;
      writeAll(to, chunk.subarray(0, read), done);
      done += read;
    }
  } finally {
    fileSystem.closeSync(from);
  }
}

/** Explains an error of a read, which is otherwise taken for one of the file that is written. */
function readingFrom<Result>(file: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw explainReadError(file, error);
  }
}

/** As `syncFolder`: without it a power failure may bring the replaced file back. */
function syncFolderNow(folder: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = fileSystem.openSync(folder, 'r');
    fileSystem.fsyncSync(descriptor);
  } catch (error) {
    if (!isUnsupported(error, foldersWithoutSync)) throw error;
  } finally {
    if (descriptor !== undefined) fileSystem.closeSync(descriptor);
  }
}

function removeQuietly(file: string): void {
  try {
    fileSystem.unlinkSync(file);
  } catch {
    // A leftover, which a later attempt removes.
  }
}

/** Bytes of the complete lines among the first `limit` bytes; 0 without a file, or if something else has its name. A power failure may leave an incomplete line. */
export function wholeLineBytes(file: string, limit: number): number {
  let descriptor: number;
  try {
    descriptor = fileSystem.openSync(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || isOtherThanFile(error)) return 0;
    throw explainReadError(file, error);
  }
  try {
    let end = Math.min(limit, fileSystem.sizeSync(descriptor));
    while (end > 0) {
      const start = Math.max(0, end - chunkBytes);
      const chunk = new Uint8Array(end - start);
      const read = fileSystem.readSync(descriptor, chunk, start);
      const at = chunk.subarray(0, read).lastIndexOf(newline);
      if (at >= 0) return start + at + 1;
      end = start;
    }
    return 0;
  } catch (error) {
    if (isOtherThanFile(error)) return 0;
    throw explainReadError(file, error);
  } finally {
    fileSystem.closeSync(descriptor);
  }
}
