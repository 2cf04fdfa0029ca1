import { rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Removes the folders that `createFolders` created, as far as they are still empty: after a failure, nothing is left.
 *
 * @param first result of `createFolders(folder)`
 */
export async function removeFolders(folder: string, first: string | undefined): Promise<void> {
  if (first === undefined) return;
  try {
    for (let path = folder; path.length >= first.length; path = dirname(path)) await rmdir(path);
  } catch {
    // Something has been stored there.
  }
}
