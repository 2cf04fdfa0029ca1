import { fstatSync, lstatSync, mkdirSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import { effects } from './faults.fixture.js';
import { fileSystem } from './file-system.js';

/**
 * - `late`: names reach the disk only when their folder is synced
 * - `early`: names reach the disk at once, before the content of their files
 */
export type NameOrder = 'late' | 'early';

type AnyCall = (...args: unknown[]) => unknown;

/**
 * A disk whose cache is lost in a power failure: content survives as of a file's last fsync, and zeros take the place of
 * content that was never synced. Follows the calls of `fileSystem` below a folder.
 */
export class VolatileDisk {
  effects = 0;
  readonly #root: string;
  /** Content at the last fsync, by inode. */
  readonly #content = new Map<number, Buffer>();
  /** Inodes of names at the last fsync, by folder. */
  readonly #names = new Map<string, ReadonlyMap<string, number>>();
  readonly #opened = new Map<unknown, string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** @param afterEffect called after each call that changes the disk */
  watch(afterEffect: () => void): void {
    for (const call of effects) {
      const actual = fileSystem[call] as AnyCall;
      const after = (args: readonly unknown[], result: unknown) => {
        this.#note(call, args, result);
        this.effects++;
        afterEffect();
        return result;
      };
      vi.spyOn(fileSystem as unknown as Record<string, AnyCall>, call).mockImplementation((...args: unknown[]) => {
        const result = actual(...args);
        return result instanceof Promise ? result.then((value: unknown) => after(args, value)) : after(args, result);
      });
    }
  }

  /** Writes the content after a reboot to another folder. */
  copyTo(target: string, order: NameOrder, folder = this.#root): void {
    mkdirSync(target, { recursive: true });
    const names = order === 'late' ? (this.#names.get(folder) ?? new Map<string, number>()) : namesIn(folder);
    for (const [name, inode] of names) {
      const path = join(folder, name);
      if (isFolder(path)) this.copyTo(join(target, name), order, path);
      else writeFileSync(join(target, name), this.#content.get(inode) ?? Buffer.alloc(64));
    }
  }

  #note(call: string, [first, second]: readonly unknown[], result: unknown): void {
    if (call === 'open' || call === 'openSync') {
      this.#opened.set(result, String(first));
      // A new file, perhaps with the inode of one that was removed.
      if (String(second).startsWith('w')) this.#content.delete(fstatSync(descriptorOf(result)).ino);
    }
    if (call !== 'fsync' && call !== 'fsyncSync') return;
    const descriptor = descriptorOf(first);
    const { ino, size } = fstatSync(descriptor);
    const path = this.#opened.get(first) ?? '';
    if (isFolder(path)) {
      this.#names.set(path, namesIn(path));
      return;
    }
    this.#content.set(ino, contentOf(descriptor, size, path));
  }
}

function descriptorOf(opened: unknown): number {
  return typeof opened === 'number' ? opened : (opened as FileHandle).fd;
}

function contentOf(descriptor: number, size: number, path: string): Buffer {
  const bytes = Buffer.alloc(size);
  try {
    readSync(descriptor, bytes, 0, size, 0);
    return bytes;
  } catch {
    // Opened for writing only, and still under the name that it was opened by.
    return readFileSync(path);
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function namesIn(folder: string): Map<string, number> {
  try {
    return new Map(
      readdirSync(folder).flatMap((name) => {
        const found = lstatSync(join(folder, name), { throwIfNoEntry: false });
        return found === undefined ? [] : [[name, found.ino] as const];
      }),
    );
  } catch {
    return new Map();
  }
}
