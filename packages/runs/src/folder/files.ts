import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { LocalgradError, readProblem } from '@localgrad/core';
import { folderError } from '@localgrad/core/folders';
import { codeOf, fileSystem, foldersWithoutSync, isOtherThanFile, isUnsupported } from './file-system.js';
import { explainReadError, explainWriteError } from './write-errors.js';

/**
 * The absolute form of a path. Taken once at the start of a command, since its working folder may be removed later.
 *
 * @throws LocalgradError `invalid-option` if the path is relative and the working folder no longer exists
 */
export function absolutePath(path: string): string {
  try {
    return resolve(path);
  } catch (error) {
    throw new LocalgradError(
      'invalid-option',
      `The current working folder no longer exists, so '${path}' cannot be resolved. Change to another folder.`,
      { path },
      { cause: error },
    );
  }
}

/** Folders whose names changed: from the one above the first new folder to the one above the last. */
function foldersAbove(last: string, first: string): string[] {
  const folders = [dirname(last)];
  while (folders[0] !== undefined && folders[0].length > dirname(first).length) folders.unshift(dirname(folders[0]));
  return folders;
}

/** Creates a folder and its parents. @throws LocalgradError `invalid-option` */
export async function createFolder(folder: string): Promise<void> {
  const path = absolutePath(folder);
  try {
    const first = await fileSystem.mkdir(path);
    if (first !== undefined) for (const above of foldersAbove(path, first)) await syncFolder(above);
  } catch (error) {
    const explained = codeOf(error) === 'ENOENT' ? error : explainWriteError(folder, error);
    throw LocalgradError.isInstance(explained) ? explained : folderError(folder, error);
  }
}

export interface WriteOptions {
  /** Called once the content has reached the disk, just before it becomes visible under its name; may throw to prevent that. */
  readonly beforeVisible?: (() => Promise<void>) | undefined;
}

/**
 * Writes a file atomically: it has either its old content or the new one, which has reached the disk, name included, when
 * this resolves.
 *
 * @throws LocalgradError `invalid-option` if the disk is full or not writable
 */
export async function writeWhole(
  file: string,
  content: string | Uint8Array,
  { beforeVisible }: WriteOptions = {},
): Promise<void> {
  const target = absolutePath(file);
  await createFolder(dirname(target));
  // Unique, since several processes may write the same file, and containers' processes have equal numbers.
  const partial = `${target}.${randomUUID()}.partial`;
  try {
    await writeSynced(partial, content);
    await beforeVisible?.();
    await fileSystem.rename(partial, target);
  } catch (error) {
    await removeFile(partial).catch(() => {});
    throw explainWriteError(file, error);
  }
  await syncFolder(dirname(target));
}

/** Writes a file in place. Resolves when it has reached the disk. @param flags `w`, or `wx` to fail if the file exists */
export async function writeSynced(file: string, content: string | Uint8Array, flags = 'w'): Promise<void> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const handle = await fileSystem.open(file, flags);
  try {
    for (let done = 0; done < bytes.length; ) done += await fileSystem.write(handle, bytes.subarray(done), done);
    await syncFile(handle);
  } finally {
    await fileSystem.close(handle);
  }
}

type Handle = Awaited<ReturnType<typeof fileSystem.open>>;

/** On a file system without fsync, content reaches the disk when the system writes it back, usually within a minute. */
export async function syncFile(handle: Handle): Promise<void> {
  try {
    await fileSystem.fsync(handle);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}

/** Names survive a power failure only once their folder has been synced; Windows and some file systems cannot do that. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: Handle;
  try {
    handle = await fileSystem.open(folder, 'r');
  } catch (error) {
    if (isUnsupported(error, foldersWithoutSync)) return;
    throw explainWriteError(folder, error);
  }
  try {
    await fileSystem.fsync(handle);
  } catch (error) {
    if (!isUnsupported(error, foldersWithoutSync)) throw explainWriteError(folder, error);
  } finally {
    await fileSystem.close(handle);
  }
}

/** Removes a file, if it exists. */
export async function removeFile(file: string): Promise<void> {
  try {
    await fileSystem.unlink(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw explainWriteError(file, error);
  }
}

/** Names in a folder; none if it does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fileSystem.readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw explainReadError(folder, error);
  }
}

/**
 * Content of a file, or undefined if it does not exist.
 *
 * @throws LocalgradError `invalid-data` if something else has its name, e.g. a folder or a pipe; otherwise as `explainReadError`
 */
export async function readBytesIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await fileSystem.readFile(file);
  } catch (error) {
    // ENOTDIR: one of its parents is a file.
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined;
    if (isOtherThanFile(error) || isTooLarge(error)) throw damagedFile(file, readProblem(error));
    throw explainReadError(file, error);
  }
}

/** An error for a state file whose content is lost. */
export function damagedFile(file: string, problem: string, cause?: unknown): LocalgradError {
  return new LocalgradError('invalid-data', `'${file}' is damaged: ${problem}.`, { file, problem }, { cause });
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_FS_FILE_TOO_LARGE';
}

/** Largest text of a state file: half of what a string can hold. */
const largestText = 2 ** 28;

/** @param file name for messages @throws LocalgradError `invalid-data` */
export function textOf(bytes: Buffer, file: string): string {
  if (bytes.length > largestText)
    throw damagedFile(file, `it has ${bytes.length} bytes; at most ${largestText} are read`);
  return bytes.toString('utf8');
}

/** Modification time and size of a file, or undefined if it does not exist. */
export async function statIfThere(file: string): Promise<Awaited<ReturnType<typeof fileSystem.stat>> | undefined> {
  try {
    return await fileSystem.stat(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw explainReadError(file, error);
  }
}

/** Text of a file, or undefined if it does not exist. @throws LocalgradError as `readBytesIfThere` */
export async function readIfThere(file: string): Promise<string | undefined> {
  const bytes = await readBytesIfThere(file);
  return bytes === undefined ? undefined : textOf(bytes, file);
}
