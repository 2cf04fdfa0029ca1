import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { createFolders } from '@localgrad/core/folders';

/**
 * Writes a file completely or not at all, and creates its folder.
 *
 * @throws LocalgradError `invalid-option` if the file cannot be written
 */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const partial = `${file}.${randomUUID()}.partial`;
  try {
    await createFolders(dirname(file));
    const handle = await open(partial, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    const message = `Cannot write '${file}': ${error instanceof Error ? error.message : String(error)}.`;
    throw new LocalgradError('invalid-option', message, { file }, { cause: error });
  }
}
