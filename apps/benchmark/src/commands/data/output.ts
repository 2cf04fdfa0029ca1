import { constants, existsSync } from 'node:fs';
import { access, lstat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { checkOwnFile } from '@localgrad/bench';
import { errorCodeOf, LocalgradError, readProblem } from '@localgrad/core';
import { isFolderPath, isInside } from '@localgrad/image-data';
import type { OpenFlags } from './open.js';

export interface DataOutput {
  readonly output: string;
  /** Whether folders above it are created too. */
  readonly createsParents: boolean;
  /** Whether a picture that an earlier command wrote may be there. Default: nothing may be there. */
  readonly replacesOwn?: boolean;
}

/**
 * Checks the place of a command's output before its data is opened, which can take minutes.
 *
 * @param name the data set: its name, or the path of a folder
 * @throws LocalgradError `invalid-option` if something else is there, it lies in the folder of the data, or it cannot be created
 */
export async function checkDataOutput(
  name: string,
  { folder }: OpenFlags,
  { output, createsParents, replacesOwn = false }: DataOutput,
): Promise<void> {
  const data = isFolderPath(name) ? name : folder;
  if (data !== undefined && existsSync(data) && (await isInside(data, output))) {
    throw new LocalgradError(
      'invalid-option',
      `--output: '${output}' is inside '${data}', whose images it would become a part of; choose a place outside of it.`,
      { output },
    );
  }
  const isTaken = await lstat(output).then(
    () => true,
    (error: unknown) => {
      if (errorCodeOf(error) !== 'ENOENT') throw unwritable(output, error);
      return false;
    },
  );
  if (isTaken && !replacesOwn) {
    throw new LocalgradError('invalid-option', `'${output}' already exists. Choose another --output.`, { output });
  }
  if (isTaken) await checkOwnFile('--output', output, [extname(output)]);
  let parent = dirname(resolve(output));
  while (createsParents && !existsSync(parent)) parent = dirname(parent);
  try {
    await access(`${parent}/.`, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(output, error);
  }
}

function unwritable(output: string, error: unknown): LocalgradError {
  return new LocalgradError('invalid-option', `'${output}' cannot be written: ${readProblem(error)}.`, { output });
}
