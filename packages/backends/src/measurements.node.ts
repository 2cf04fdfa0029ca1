import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder, createFolders, readWholeFile, whileBusy } from '@localgrad/core/folders';
import { version } from '@tensorflow/tfjs';
import type { BackendOptions } from './descriptor.js';
import type { MeasurementOptions, Measurements } from './measurements.js';
import { cpuName } from './system.node.js';

/** Circumstances in a file; the oldest are dropped. */
const mostEntries = 500;

/**
 * Measurements of this machine, one for each set of circumstances: the processor, the versions of Node.js and TensorFlow.js, the
 * number of threads, the SIMD variant, and those of the caller.
 */
export function keptMeasurements<Value>(
  { threads = 'auto', relaxedSimd = true }: Pick<BackendOptions, 'threads' | 'relaxedSimd'>,
  { file: name, circumstances = [], isValue }: MeasurementOptions<Value>,
): Measurements<Value> {
  const node = process.versions.node.split('.')[0];
  const key = JSON.stringify([
    cpuName(),
    os.availableParallelism(),
    threads,
    relaxedSimd,
    node,
    version.tfjs,
    ...circumstances,
  ]);
  return {
    async read() {
      const value = (await readAll(place(name))).get(key);
      return isValue(value) ? value : undefined;
    },
    async write(value) {
      const file = place(name);
      if (file === undefined) return;
      const all = await readAll(file);
      // The newest is the last.
      all.delete(key);
      const kept = [...all].filter(([, one]) => isValue(one)).slice(1 - mostEntries);
      await replace(file, Object.fromEntries([...kept, [key, value]])).catch(() => undefined);
    },
  };
}

/** Undefined for a user without a home folder: measurements are then repeated by each process. */
function place(name: string): string | undefined {
  try {
    return join(cacheFolder(), name);
  } catch {
    return undefined;
  }
}

async function readAll(file: string | undefined): Promise<Map<string, unknown>> {
  if (file === undefined) return new Map();
  try {
    const content: unknown = JSON.parse((await readWholeFile(file)).toString('utf8'));
    return new Map(typeof content === 'object' && content !== null ? Object.entries(content) : []);
  } catch {
    return new Map();
  }
}

async function replace(file: string, content: object): Promise<void> {
  await createFolders(dirname(file));
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeFile(temporary, `${JSON.stringify(content, undefined, 2)}\n`);
    await whileBusy(() => rename(temporary, file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
