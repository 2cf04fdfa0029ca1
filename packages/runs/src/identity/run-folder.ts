import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { runConfigSchema } from '../config/run-config.js';
import { hashOf } from '../folder/hash.js';
import { readRunConfig, runFiles } from '../folder/run-folder.js';
import { withoutDefaults } from './config-identity.js';
import { configDifferences, differencesBetween } from './differences.js';
import { type RunIdentity, readIdentity } from './run-identity.js';

export interface FolderCheck {
  readonly folder: string;
  /** The folder as given by the user, for messages. */
  readonly shownFolder?: string | undefined;
  readonly identity: RunIdentity;
  /** `never`: a different run in this folder will be replaced. */
  readonly resume: 'auto' | 'never';
  /** Advice about a different run, for the error; default: the options of `localgrad train`. */
  readonly advice?: string | undefined;
  readonly onProblem?: ((message: string) => void) | undefined;
}

/**
 * Compares the run in a folder with the requested one.
 *
 * @returns the run ID that the files in the folder use
 * @throws LocalgradError `invalid-option` that lists the differences; `invalid-data` if its files are not those of a run
 */
export async function checkFolder(check: FolderCheck): Promise<string> {
  const { folder, identity, resume } = check;
  const before = await readRunConfig(folder);
  const there = await readIdentity(join(folder, runFiles.identity));
  if (there === undefined) return before === undefined ? identity.runId : checkConfig(before, check);
  if (resume === 'never') return identity.runId;
  const differences = differencesBetween(there, identity);
  if (differences.length > 0) throw otherRun(check, differences);
  return there.runId;
}

/** Differences between the run in a folder and the requested one; empty if there are none or the folder has no run. */
export async function differencesInFolder(folder: string, identity: RunIdentity): Promise<string[]> {
  const there = await readIdentity(join(folder, runFiles.identity));
  return there === undefined ? [] : differencesBetween(there, identity);
}

/** For runs of versions that did not write `identity.json`, only the config is known. */
function checkConfig(before: Readonly<Record<string, unknown>>, check: FolderCheck): string {
  const { folder, shownFolder = folder, identity, resume, onProblem } = check;
  const parsed = runConfigSchema.safeParse(before);
  if (!parsed.success) {
    const file = join(shownFolder, runFiles.config);
    throw new LocalgradError(
      'invalid-data',
      `'${file}' is not the config of a localgrad run. Choose another --output.`,
      { file },
    );
  }
  if (resume === 'never') return identity.runId;
  const { initialWeights: path, ...config } = withoutDefaults(parsed.data);
  const differences = configDifferences(config, identity.config);
  if (differences.length > 0) throw otherRun(check, differences);
  const unknown = unrecorded(identity, path !== undefined);
  if (unknown.length > 0) {
    throw otherRun(check, [
      `it was started by a version of localgrad that did not record the content of its ${unknown.join(' and ')}`,
    ]);
  }
  onProblem?.(
    `The run in '${shownFolder}' was started by an earlier version of localgrad and is recognized by its config alone.`,
  );
  // The run ID in its checkpoints.
  const { dataFolder: _, ...own } = before;
  return hashOf(own);
}

/** External inputs, which may have changed since. */
function unrecorded({ modules, config, initialWeights }: RunIdentity, hadWeights: boolean): string[] {
  return [
    ...modules.map(({ name, kind }) => `${kind} '${name}'`),
    // The embedded subset is the default; all others are read from files.
    ...(config.dataset === undefined ? [] : ['images']),
    ...(hadWeights || initialWeights !== null ? ['initial weights'] : []),
  ];
}

function otherRun(
  { folder, shownFolder = folder, identity, advice }: FolderCheck,
  differences: readonly string[],
): LocalgradError {
  const cure = advice ?? 'Choose another --output, or pass --resume never to replace the run.';
  return new LocalgradError(
    'invalid-option',
    `Folder '${shownFolder}' contains a different run: ${differences.join('; ')}. ${cure}`,
    { folder, runId: identity.runId, differences },
  );
}
