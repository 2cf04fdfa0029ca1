import { appendFileSync, writeFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { metricsWriter, type Observer } from '@localgrad/train';

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

/** Writes a file whole or not at all. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  await createFolder(dirname(file));
  const partial = `${file}.partial`;
  await writeFile(partial, content);
  await rename(partial, file);
}

/** Events as JSON lines in `folder/metrics.jsonl`; an older file is replaced. */
export function metricsFile(folder: string): Observer {
  const file = join(folder, 'metrics.jsonl');
  writeFileSync(file, '');
  return metricsWriter((line) => appendFileSync(file, line));
}
