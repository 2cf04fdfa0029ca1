import { errorCodeOf, LocalgradError, readProblem } from '@localgrad/core';

/** Runs a call that writes a file. @throws LocalgradError `invalid-option` with the cause in plain words */
export function writing<Result>(file: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    if (errorCodeOf(error) === undefined || LocalgradError.isInstance(error)) throw error;
    const message = `Cannot write '${file}': ${readProblem(error)}. Once that is fixed, run the same command again to resume.`;
    throw new LocalgradError('invalid-option', message, { file }, { cause: error });
  }
}
