import * as now from 'node:fs';
import * as later from 'node:fs/promises';
import { LocalgradError } from '@localgrad/core';
import { createFolders } from '@localgrad/core/folders';

/**
 * All file system calls of runs and sweeps. One mutable object, so that tests can replace
 * single calls: to fail, to wait, or to record their order.
 */
export const fileSystem = {
  mkdir: createFolders,
  readdir: (folder: string) => later.readdir(folder),
  readFile: (file: string): Promise<Buffer> => later.readFile(file),
  stat: (path: string) => later.stat(path),
  open: (path: string, flags: string): Promise<later.FileHandle> => later.open(path, flags),
  write: async (handle: later.FileHandle, bytes: Uint8Array, position: number): Promise<number> =>
    (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
  truncate: (handle: later.FileHandle, bytes: number) => handle.truncate(bytes),
  fsync: (handle: later.FileHandle) => handle.sync(),
  close: (handle: later.FileHandle) => handle.close(),
  link: (from: string, to: string) => later.link(from, to),
  rename: (from: string, to: string) => later.rename(from, to),
  unlink: (file: string) => later.unlink(file),
  rmdir: (folder: string) => later.rmdir(folder),

  // For events, which reach the system before training continues.
  readdirSync: (folder: string) => now.readdirSync(folder),
  openSync: (file: string, flags: string) => now.openSync(file, flags),
  writeSync: (descriptor: number, bytes: Uint8Array, position: number) =>
    now.writeSync(descriptor, bytes, 0, bytes.length, position),
  readSync: (descriptor: number, bytes: Uint8Array, position: number) =>
    now.readSync(descriptor, bytes, 0, bytes.length, position),
  sizeSync: (descriptor: number) => now.fstatSync(descriptor).size,
  fsyncSync: (descriptor: number) => now.fsyncSync(descriptor),
  closeSync: (descriptor: number) => now.closeSync(descriptor),
  renameSync: (from: string, to: string) => now.renameSync(from, to),
  unlinkSync: (file: string) => now.unlinkSync(file),
};

export type FileSystem = typeof fileSystem;

/** The operating system's code of an error or of its explanation, e.g. `ENOENT`; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  return LocalgradError.isInstance(error) ? codeOf(error.cause) : undefined;
}

/** Error codes of calls that the file system does not support, as opposed to calls that failed. */
const unsupported = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

export function isUnsupported(error: unknown, more: readonly string[] = []): boolean {
  const code = codeOf(error);
  return code !== undefined && (unsupported.includes(code) || more.includes(code));
}

/** Additional codes of systems that cannot sync folders, e.g. Windows. */
export const foldersWithoutSync = ['EISDIR', 'EPERM', 'EACCES', 'EBADF'];
