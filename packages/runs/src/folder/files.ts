import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { explainWriteError } from './write-errors.js';

/** Creates a folder and those above it. @throws LocalgradError `invalid-option` */
export async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const explained = explainWriteError(folder, error);
    if (LocalgradError.isInstance(explained)) throw explained;
    throw new LocalgradError(
      'invalid-option',
      `Cannot create folder '${folder}': ${(error as Error).message}.`,
      { folder },
      { cause: error },
    );
  }
}

/**
 * Writes a file whole or not at all: what is under its name has reached the disk.
 *
 * @throws LocalgradError `invalid-option` where the disk is full or may not be written to
 */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  await createFolder(dirname(file));
  // Several processes may write the same file, and containers' processes have the same numbers; none may see half of
  // another's.
  const partial = `${file}.${randomUUID()}.partial`;
  try {
    await writeSynced(partial, content);
    await rename(partial, file);
  } catch (error) {
    // On a full disk every byte counts, and nobody else knows this name.
    await rm(partial, { force: true }).catch(() => {});
    throw explainWriteError(file, error);
  }
}

/** Writes a file under its name, and returns when it has reached the disk. */
export async function writeSynced(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A file's text, or undefined where there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A JSON file, or undefined where there is none. @throws LocalgradError `invalid-data` that names the file */
export async function readJsonIfThere<Value>(file: string): Promise<Value | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `'${file}' is not JSON: ${(error as Error).message}. It was changed after it had been written.`,
      { file },
      { cause: error },
    );
  }
}
