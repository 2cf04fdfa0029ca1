import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import type { ExecuteOptions } from './execute-options.js';
import { weightsProblem } from './export-weights.js';
import { codeOf, fileSystem } from './folder/file-system.js';
import { damagedFile, readBytesIfThere } from './folder/files.js';
import { isNewerVersion } from './folder/newer-version.js';
import { runFiles } from './folder/run-folder.js';
import { readSummary } from './folder/run-state.js';
import type { RunSummary } from './run-summary.js';

type OnProblem = ((message: string) => void) | undefined;

/** Reports final weights that are missing or damaged. */
export async function checkFinalWeights(folder: string, summary: RunSummary, onProblem: OnProblem): Promise<void> {
  const file = join(folder, runFiles.weights);
  try {
    const problem = weightsProblem(await readBytesIfThere(file), summary);
    if (problem !== undefined) throw damagedFile(file, problem);
  } catch (error) {
    if (!LocalgradError.isInstance(error) || codeOf(error) !== undefined) throw error;
    onProblem?.(`${error.message} The result is not affected; --resume never trains the run again.`);
  }
}

/** Reports what was asked for but is written only while a run trains. */
export function reportUnwritten(
  folder: string,
  { trackers = {}, keep = {}, onProblem }: Pick<ExecuteOptions, 'trackers' | 'keep' | 'onProblem'>,
): void {
  const wanted: readonly [flag: string, isWanted: boolean, file: string][] = [
    ['--csv', trackers.csv === true, runFiles.epochs],
    ['--tensorboard', trackers.tensorboard === true, runFiles.tensorboard],
    ['--mlflow', trackers.mlflow !== undefined, runFiles.mlflow],
    ['--keep-last', keep.keepLast !== undefined, runFiles.checkpoints],
    ['--keep-best', keep.keepBest === true, runFiles.checkpoints],
  ];
  const missing = wanted.filter(([, isWanted, file]) => isWanted && !existsSync(join(folder, file)));
  if (missing.length === 0) return;
  const flags = new Intl.ListFormat('en').format(missing.map(([flag]) => flag));
  onProblem?.(
    `The run has finished before, so ${flags} ${missing.length === 1 ? 'has' : 'have'} no effect; add --resume never to train it again.`,
  );
}

/** Sets a damaged summary aside; the run is then trained again, since its result is unknown. */
export async function soundSummary(folder: string, onProblem: OnProblem): Promise<RunSummary | undefined> {
  try {
    return await readSummary(folder);
  } catch (error) {
    // A file that cannot be read now may contain a result.
    if (!LocalgradError.isInstance(error) || codeOf(error) !== undefined || isNewerVersion(error)) throw error;
    await fileSystem.rename(join(folder, runFiles.summary), join(folder, runFiles.damagedSummary));
    onProblem?.(`${error.message} The run is repeated; the damaged file is kept as '${runFiles.damagedSummary}'.`);
    return undefined;
  }
}
