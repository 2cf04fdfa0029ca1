import { LocalgradError } from '@localgrad/core';

/** What a person can do about it, by the system's code. */
const causes: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Make room there; the same command then goes on',
  EDQUOT: "this user's share of the disk is used up. Make room there; the same command then goes on",
  EROFS: 'the file system can only be read. Mount it writable, or name another folder',
  EACCES: "this user may not write there. Change the folder's permissions, or name another folder",
};

/** An error of the file system with its cure, where one is known; any other error as it is. */
export function explainWriteError(file: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const cause = code === undefined ? undefined : causes[code];
  if (cause === undefined || LocalgradError.isInstance(error)) return error;
  return new LocalgradError('invalid-option', `Cannot write '${file}': ${cause}.`, { file, code }, { cause: error });
}
