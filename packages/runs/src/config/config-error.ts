import { type ErrorCode, LocalgradError } from '@localgrad/core';
import type { RunConfig } from './run-config.js';

/** The problem of one key of a config. */
export interface ConfigProblem {
  readonly key: string;
  /** Without the key: callers add the flag or the place in the file. */
  readonly problem: string;
  /** Other keys that the problem names. */
  readonly mentions: readonly string[];
}

export interface ConfigErrorOptions {
  readonly code?: ErrorCode;
  readonly cause?: unknown;
  /** Other keys that `problem` names: callers replace them by what the user typed. */
  readonly mentions?: readonly (keyof RunConfig)[];
}

/** An error about one key of a config; `configProblemOf` reads the parts back. */
export function configError(
  key: string,
  problem: string,
  { code = 'invalid-option', cause, mentions = [] }: ConfigErrorOptions = {},
): LocalgradError {
  return new LocalgradError(code, `${key}: ${problem}`, { key, problem, mentions }, { cause });
}

/** The key that an error is about; undefined for other errors. */
export function configProblemOf(error: unknown): ConfigProblem | undefined {
  if (!LocalgradError.isInstance(error)) return undefined;
  const { key, problem, mentions } = error.details;
  if (typeof key !== 'string' || typeof problem !== 'string') return undefined;
  return { key, problem, mentions: Array.isArray(mentions) ? mentions.map(String) : [] };
}
