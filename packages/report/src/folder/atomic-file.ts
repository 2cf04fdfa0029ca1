import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LocalgradError, readProblem } from '@localgrad/core';
import { createFolders, folderError, whileBusy } from '@localgrad/core/folders';

/**
 * Writes a file completely or not at all, and creates its folder.
 *
 * @throws LocalgradError `invalid-option` if the file cannot be written
 */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(file);
  await createFolders(folder).catch((error: unknown) => {
    throw folderError(folder, error);
  });
  const partial = `${file}.${randomUUID()}.partial`;
  try {
    const handle = await open(partial, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await whileBusy(() => rename(partial, file));
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw new LocalgradError(
      'invalid-option',
      `Cannot write '${file}': ${readProblem(error)}.`,
      { file },
      { cause: error },
    );
  }
}
