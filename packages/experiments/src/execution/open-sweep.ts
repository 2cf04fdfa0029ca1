import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { hashOf } from '@localgrad/runs';
import { quoted } from '../executors/shell.js';
import type { Experiment } from '../files/experiment.js';
import { experimentDifferences } from '../files/experiment-differences.js';
import { readSweep, type Sweep } from '../sweep/sweep-folder.js';
import { readExperiment } from './experiment-file.js';

/**
 * Where the sweep of an experiment is kept, unless another folder is named. An experiment with other values than its file has
 * a folder of its own (`ablation+epochs=1`), so that a trial does not replace the sweep of the file.
 */
export function defaultSweepFolder({ name, overrides = [] }: Pick<Experiment, 'name'> & Partial<Experiment>): string {
  if (overrides.length === 0) return join('localgrad-sweeps', name);
  const readable = overrides.join('+');
  const isPlain = /^[\w.=+,-]{1,60}$/.test(readable);
  return join('localgrad-sweeps', `${name}+${isPlain ? readable : hashOf(overrides)}`);
}

/**
 * Reads a sweep by its folder, or by the experiment file that was run with the default folder.
 *
 * @param overrides of the experiment file, as for `readExperiment`
 * @param onProblem receives a notice if the file has changed since its sweep was written
 */
export async function openSweep(
  path: string,
  overrides: readonly string[] = [],
  onProblem?: (message: string) => void,
): Promise<Sweep> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return sweepOfFile(path, overrides, onProblem);
  if (overrides.length > 0) {
    throw new LocalgradError(
      'invalid-option',
      `--set has no effect on '${path}', which is not an experiment file; omit it, or name the file.`,
    );
  }
  return readSweep(path);
}

async function sweepOfFile(
  file: string,
  overrides: readonly string[],
  onProblem: ((message: string) => void) | undefined,
): Promise<Sweep> {
  const experiment = await readExperiment(file, overrides);
  const sweep = await readSweep(defaultSweepFolder(experiment));
  // Sweeps of versions that kept no text.
  const differences = sweep.source === '' ? [] : experimentDifferences(sweep.source, experiment.source);
  if (differences.length > 0) {
    const words = [file, ...overrides.flatMap((one) => ['--set', one])].map(quoted);
    onProblem?.(
      `'${file}' has changed since its sweep in '${sweep.folder}' was written: ${differences.join('; ')}. The sweep does not have these changes; 'localgrad sweep run ${words.join(' ')}' applies them.`,
    );
  }
  return sweep;
}
