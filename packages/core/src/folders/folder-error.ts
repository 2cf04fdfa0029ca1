import { LocalgradError } from '../errors.js';
import { readProblem } from '../system-error.js';

const causes: Readonly<Record<string, string>> = {
  ENOENT: 'the file system does not allow it there',
  EEXIST: 'a file with this name exists',
};

/** An `invalid-option` error for a folder that could not be created, with the cause in plain words. */
export function folderError(folder: string, error: unknown): LocalgradError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const cause = causes[code] ?? readProblem(error);
  return new LocalgradError(
    'invalid-option',
    `Cannot create folder '${folder}': ${cause}. Choose another folder.`,
    { folder, code },
    { cause: error },
  );
}
