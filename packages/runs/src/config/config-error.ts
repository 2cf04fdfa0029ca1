import { type ErrorCode, LocalgradError } from '@localgrad/core';

/** The problem of one key of a config. */
export interface ConfigProblem {
  readonly key: string;
  /** Without the key: callers add the flag or the place in the file. */
  readonly problem: string;
}

/** An error about one key of a config; `configProblemOf` reads the parts back. */
export function configError(
  key: string,
  problem: string,
  { code = 'invalid-option', cause }: { readonly code?: ErrorCode; readonly cause?: unknown } = {},
): LocalgradError {
  return new LocalgradError(code, `${key}: ${problem}`, { key, problem }, { cause });
}

/** The key that an error is about; undefined for other errors. */
export function configProblemOf(error: unknown): ConfigProblem | undefined {
  if (!LocalgradError.isInstance(error)) return undefined;
  const { key, problem } = error.details;
  return typeof key === 'string' && typeof problem === 'string' ? { key, problem } : undefined;
}
