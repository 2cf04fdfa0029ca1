import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readSweep, type Sweep } from '../sweep/sweep-folder.js';
import { readExperiment } from './experiment-file.js';

/** Where the sweep of an experiment is kept, unless another folder is named. */
export function defaultSweepFolder({ name }: { readonly name: string }): string {
  return join('localgrad-sweeps', name);
}

/** Reads a sweep by its folder, or by the experiment file that was run with the default folder. */
export async function openSweep(path: string): Promise<Sweep> {
  const found = await stat(path).catch(() => undefined);
  return readSweep(found?.isFile() ? defaultSweepFolder(await readExperiment(path)) : path);
}
