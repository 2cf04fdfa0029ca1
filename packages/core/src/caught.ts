import { LocalgradError } from './errors.js';

/** The message of a caught value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The message of a caught value and, unless the error says itself where it arose as those of localgrad and of the operating
 * system do, the file and line that threw it: `x is not a function (own.mjs:3:14)`. File names have no folders.
 */
export function locatedMessageOf(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof Error) || LocalgradError.isInstance(error) || errorCodeOf(error) !== undefined) return message;
  const [, line] = /^\s+at .*?([^/\\()\s]+:\d+:\d+)\)?$/m.exec(error.stack ?? '') ?? [];
  return line === undefined ? message : `${message} (${line})`;
}

/** The code of a caught error of Node or the operating system, e.g. `ENOENT`; undefined for values without one. */
export function errorCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
