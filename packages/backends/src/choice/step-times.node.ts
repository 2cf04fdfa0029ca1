import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { cacheFolder, createFolders, readWholeFile } from '@localgrad/core/folders';
import { version } from '@tensorflow/tfjs';
import type { BackendOptions } from '../descriptor.js';
import { cpuName } from '../system.node.js';
import type { StepTimes, StepTimesStore } from './choose.js';

/** Measurements are kept in the user's cache folder (`LOCALGRAD_CACHE` names another), one for each set of circumstances. */
export function stepTimesStore({ threads = 'auto', relaxedSimd = true }: BackendOptions): StepTimesStore {
  const folder = cacheFolder();
  const file = join(folder, 'step-times.json');
  const node = process.versions.node.split('.')[0];
  const circumstances = JSON.stringify([
    cpuName(),
    os.availableParallelism(),
    threads,
    relaxedSimd,
    node,
    version.tfjs,
  ]);
  return {
    read: async () => (await readAll(file))[circumstances],
    async write(times) {
      // Without the file, the next start measures again.
      await replace(folder, file, { ...(await readAll(file)), [circumstances]: times }).catch(() => undefined);
    },
  };
}

async function readAll(file: string): Promise<Record<string, StepTimes>> {
  try {
    const text = (await readWholeFile(file)).toString('utf8');
    return Object.fromEntries(Object.entries(JSON.parse(text) as object).filter(isEntry));
  } catch {
    return {};
  }
}

function isEntry(entry: [string, unknown]): entry is [string, StepTimes] {
  const times = entry[1];
  return typeof times === 'object' && times !== null && Object.values(times).every(Number.isFinite);
}

async function replace(folder: string, file: string, content: object): Promise<void> {
  await createFolders(folder);
  const temporary = `${file}.${randomUUID()}`;
  await writeFile(temporary, `${JSON.stringify(content, undefined, 2)}\n`);
  await rename(temporary, file);
}
