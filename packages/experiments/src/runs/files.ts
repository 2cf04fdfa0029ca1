import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LocalgradError } from '@localgrad/core';

/** Creates a folder and those above it. @throws LocalgradError `invalid-option` */
export async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new LocalgradError(
      'invalid-option',
      `Cannot create folder '${folder}': ${(error as Error).message}.`,
      { folder },
      { cause: error },
    );
  }
}

/** Writes a file whole or not at all: what is under its name has reached the disk. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  await createFolder(dirname(file));
  // Two processes may write the same file; neither may see half of the other's.
  const partial = `${file}.${process.pid}.partial`;
  const handle = await open(partial, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
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
