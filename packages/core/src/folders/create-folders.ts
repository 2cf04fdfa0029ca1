import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates a folder and its parents. Unlike Node.js's recursive `mkdir`, it also returns where the file system rejects a
 * folder although its parent exists, as in /proc, and in a working folder that was removed.
 *
 * @returns the first folder that was created; undefined if the folder exists
 * @throws the system's error, e.g. `EACCES`, or `ENOENT` where no folder can be created
 */
export async function createFolders(folder: string): Promise<string | undefined> {
  try {
    return await createOne(folder);
  } catch (error) {
    if (!lacksParent(error, folder)) throw error;
    const first = await createFolders(dirname(folder));
    const last = await createOne(folder);
    return first ?? last;
  }
}

/** `createFolders`, returning once the folders exist. */
export function createFoldersSync(folder: string): string | undefined {
  try {
    return createOneSync(folder);
  } catch (error) {
    if (!lacksParent(error, folder)) throw error;
    const first = createFoldersSync(dirname(folder));
    const last = createOneSync(folder);
    return first ?? last;
  }
}

function lacksParent(error: unknown, folder: string): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' && dirname(folder) !== folder;
}

/** @returns the folder, or undefined if it exists */
async function createOne(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory() === true) return undefined;
    throw error;
  }
}

function createOneSync(folder: string): string | undefined {
  try {
    mkdirSync(folder);
    return folder;
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
    throw error;
  }
}
