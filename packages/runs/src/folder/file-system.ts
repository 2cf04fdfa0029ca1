import * as now from 'node:fs';
import * as later from 'node:fs/promises';
import { LocalgradError } from '@localgrad/core';
import {
  createFolders,
  readWholeFile,
  rejectDevice,
  rejectDeviceSync,
  whileBusy,
  whileBusySync,
} from '@localgrad/core/folders';

/**
 * All file system calls of runs and sweeps. One mutable object, so that tests can replace
 * single calls: to fail, to wait, or to record their order.
 *
 * On Windows, calls on a file that another process has open for a moment are repeated.
 *
 * Opening a pipe waits for its other end, and a device may never end: calls that open existing files reject both with the
 * code `ENXIO`.
 */
export const fileSystem = {
  mkdir: createFolders,
  readdir: (folder: string) => later.readdir(folder),
  readFile: (file: string) => whileBusy(() => readWholeFile(file)),
  stat: (path: string) => later.stat(path),
  open: async (path: string, flags: string): Promise<later.FileHandle> => {
    if (!creates(flags)) await rejectDevice(path);
    return later.open(path, flags);
  },
  write: async (handle: later.FileHandle, bytes: Uint8Array, position: number): Promise<number> =>
    (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
  truncate: (handle: later.FileHandle, bytes: number) => handle.truncate(bytes),
  fsync: (handle: later.FileHandle) => handle.sync(),
  close: (handle: later.FileHandle) => handle.close(),
  link: (from: string, to: string) => later.link(from, to),
  rename: (from: string, to: string) => whileBusy(() => later.rename(from, to)),
  unlink: (file: string) => whileBusy(() => later.unlink(file)),
  rmdir: (folder: string) => later.rmdir(folder),

  // For events, which reach the system before training continues.
  readdirSync: (folder: string) => now.readdirSync(folder),
  openSync: (file: string, flags: string) => {
    if (!creates(flags)) rejectDeviceSync(file);
    return now.openSync(file, flags);
  },
  writeSync: (descriptor: number, bytes: Uint8Array, position: number) =>
    now.writeSync(descriptor, bytes, 0, bytes.length, position),
  readSync: (descriptor: number, bytes: Uint8Array, position: number) =>
    now.readSync(descriptor, bytes, 0, bytes.length, position),
  sizeSync: (descriptor: number) => now.fstatSync(descriptor).size,
  fsyncSync: (descriptor: number) => now.fsyncSync(descriptor),
  closeSync: (descriptor: number) => now.closeSync(descriptor),
  renameSync: (from: string, to: string) => whileBusySync(() => now.renameSync(from, to)),
  unlinkSync: (file: string) => whileBusySync(() => now.unlinkSync(file)),
};

export type FileSystem = typeof fileSystem;

/** Whether `open` creates the file, which cannot be a pipe then: files are created under new names. */
function creates(flags: string): boolean {
  return flags.startsWith('w');
}

/** The operating system's code of an error or of its explanation, e.g. `ENOENT`; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  return LocalgradError.isInstance(error) ? codeOf(error.cause) : undefined;
}

/** Codes that a folder, a device, a pipe, a socket or a loop of links reports in place of a file. */
const codesOfOthers = ['EISDIR', 'ENXIO', 'ELOOP'];

/** Whether something that is no file is in the place of a file. Its content is lost, unlike that of an unreadable file. */
export function isOtherThanFile(error: unknown): boolean {
  return codesOfOthers.includes(codeOf(error) ?? '');
}

/** Error codes of calls that the file system does not support, as opposed to calls that failed. */
const unsupported = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

export function isUnsupported(error: unknown, more: readonly string[] = []): boolean {
  const code = codeOf(error);
  return code !== undefined && (unsupported.includes(code) || more.includes(code));
}

/** Additional codes of systems that cannot sync folders, e.g. Windows. */
export const foldersWithoutSync = ['EISDIR', 'EPERM', 'EACCES', 'EBADF'];
