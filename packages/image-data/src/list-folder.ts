import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';

/** Names in a folder, sorted; what hidden names stand for is neither image nor class. */
export interface FolderContent {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** Lists a folder. Links count as what they lead to. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function listFolder(folder: string): Promise<FolderContent> {
  const content = { folders: [] as string[], files: [] as string[] };
  for (const entry of await entriesOf(folder)) {
    if (entry.name.startsWith('.')) continue;
    const isFolder = entry.isSymbolicLink() ? await leadsToFolder(join(folder, entry.name)) : entry.isDirectory();
    content[isFolder ? 'folders' : 'files'].push(entry.name);
  }
  return { folders: content.folders.sort(), files: content.files.sort() };
}

/** False for a broken link, which is reported when its image is read. */
async function leadsToFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw new LocalgradError('missing-dependency', `There is no folder '${folder}'.`, { folder });
    }
    throw new LocalgradError('invalid-data', `Folder '${folder}' cannot be read: ${message}.`, { folder });
  }
}
