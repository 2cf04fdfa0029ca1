import { messageOf } from './caught.js';

/** Causes by system error code, in plain words. */
const causes: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a folder; a file is required',
  ENOTDIR: 'part of the path is a file, not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EBUSY: 'another program uses it',
  ENAMETOOLONG: 'the name is too long for the file system',
  ELOOP: 'the path contains a loop of symbolic links',
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's disk quota is used up",
  EROFS: 'the file system is read-only',
  EMFILE: 'too many files are open',
  EIO: 'the disk or the network reports an input/output error',
  ENXIO: 'it is a device, a pipe or a socket; a file is required',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
  ERR_INVALID_ARG_VALUE: 'the name contains a NUL character',
};

/** Why a file could not be read or written, in plain words if the cause is known; otherwise the message of the error. */
export function readProblem(error: unknown): string {
  // An empty name is an unset variable of a shell.
  if (error instanceof Error && 'path' in error && error.path === '') return 'the name is empty';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (Object.hasOwn(causes, code)) return causes[code] ?? '';
  return messageOf(error);
}
