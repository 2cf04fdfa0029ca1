import { LocalgradError, readProblem } from '@localgrad/core';
import { codeOf } from './file-system.js';

/** Causes that reading and writing have in common. */
const shared: Readonly<Record<string, string>> = {
  ENAMETOOLONG: 'the name is too long for the file system. Choose a shorter one',
  ELOOP: 'the path contains a loop of symbolic links. Choose another folder',
  ESTALE: 'the file server has replaced it. Run the same command again to resume',
  EMFILE: 'too many files are open. Raise the limit (ulimit -n) or run fewer processes',
  ENFILE: 'too many files are open on this machine. Run fewer processes',
};

/** Cause and remedy by system error code. */
const causes: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free some space and run the same command again to resume',
  EDQUOT: "the user's disk quota is used up. Free some space and run the same command again to resume",
  EFBIG:
    'it would be larger than the file system or the shell (ulimit -f) allows. Raise the limit, or choose another folder',
  EROFS: 'the file system is read-only. Mount it writable or choose another folder',
  EACCES: "permission denied. Change the folder's permissions or choose another folder",
  EPERM: "not permitted. Change the folder's permissions or attributes, or choose another folder",
  ENOTDIR: 'part of the path is a file, not a folder. Choose another folder',
  ENOENT: 'its folder does not exist, or accepts no files. Choose another folder',
  EISDIR: 'it is a folder. Move it, or choose another name',
  EEXIST: 'a file with this name exists. Choose another folder',
  EIO: 'the disk or the network reports an input/output error. Check it and run the same command again to resume',
  ...shared,
};

/** Adds the file, and the remedy if one is known, to a file system error; returns any other error unchanged. */
export function explainWriteError(file: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined || LocalgradError.isInstance(error)) return error;
  const cause = causes[code] ?? readProblem(error);
  return new LocalgradError(
    'invalid-option',
    `Cannot write '${shortened(file)}': ${cause}.`,
    { file, code },
    { cause: error },
  );
}

/** Adds the file to a file system error of a read; returns any other error unchanged. */
export function explainReadError(file: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined || LocalgradError.isInstance(error)) return error;
  const cause = readCauses[code] ?? readProblem(error);
  return new LocalgradError(
    'invalid-option',
    `Cannot read '${shortened(file)}': ${cause}.`,
    { file, code },
    { cause: error },
  );
}

const readCauses: Readonly<Record<string, string>> = {
  EACCES: 'permission denied. Change its permissions',
  EPERM: 'permission denied. Change its permissions',
  EIO: 'the disk or the network reports an input/output error. Check it and run the same command again to resume',
  ...shared,
};

/** Readable on one line, however long the path. */
function shortened(path: string): string {
  return path.length <= 200 ? path : `${path.slice(0, 100)}…${path.slice(-60)}`;
}
