import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { codeOf, fileSystem, isUnsupported } from './file-system.js';
import { readIfThere, removeFile, syncFile, writeSynced } from './files.js';
import { explainWriteError } from './write-errors.js';

/**
 * Creates a claim; only one process can succeed. Unlike a rename, a hard link never replaces a file; unlike an exclusive
 * create, it includes the content. File systems without hard links (exFAT, SMB, many FUSE mounts) get an exclusive
 * create: a process that is killed between its two steps leaves an empty claim, which lasts until it is stale.
 *
 * @returns false if another process was faster
 * @throws LocalgradError `invalid-option` if the disk is full or not writable
 */
export async function publishClaim(folder: string, file: string, text: string): Promise<boolean> {
  const draft = join(folder, `draft.${randomUUID()}`);
  try {
    await writeSynced(draft, text);
    await fileSystem.link(draft, file);
    return true;
  } catch (error) {
    const code = codeOf(error);
    // Over a network, a lost response makes the retry fail although the first attempt succeeded.
    if (code === 'EEXIST') return (await readIfThere(file)) === text;
    // This process slept so long that its draft was removed as a leftover.
    if (code === 'ENOENT') return false;
    if (isUnsupported(error, ['EPERM', 'EMLINK', 'EXDEV'])) return await createExclusively(file, text);
    throw explainWriteError(file, error);
  } finally {
    await removeFile(draft).catch(() => {});
  }
}

async function createExclusively(file: string, text: string): Promise<boolean> {
  try {
    await writeSynced(file, text, 'wx');
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // The name was free, so the file belongs to this process.
    await removeFile(file).catch(() => {});
    throw explainWriteError(file, error);
  }
}

/** Overwrites an existing file: a full disk rejects new files, but usually accepts a few more bytes in an existing one. */
export async function overwrite(file: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const handle = await fileSystem.open(file, 'r+');
  try {
    for (let done = 0; done < bytes.length; ) done += await fileSystem.write(handle, bytes.subarray(done), done);
    await fileSystem.truncate(handle, bytes.length);
    await syncFile(handle);
  } finally {
    await fileSystem.close(handle);
  }
}
