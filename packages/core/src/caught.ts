import { type ErrorCode, LocalgradError } from './errors.js';

/** A line of a stack trace; captures the file without its folder. */
const place = /^\s+at .*?([^/\\()\s]+:\d+:\d+)\)?$/;

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
  const lines = (error.stack ?? '').split('\n');
  // Node puts the place of a syntax error above the message.
  const [, unread] = (error instanceof SyntaxError && /([^/\\()\s]+:\d+)$/.exec(lines[0] ?? '')) || [];
  if (unread !== undefined) return `${message} (${unread})`;
  const places = lines.filter((line) => place.test(line) && !/[( ]node:/.test(line));
  // What threw in an installed package was usually called wrongly by the user's own code.
  const [, line] = place.exec(places.find((one) => !/[/\\]node_modules[/\\]/.test(one)) ?? places[0] ?? '') ?? [];
  return line === undefined ? message : `${message} (${line})`;
}

/**
 * Calls a function of a plug-in or program. What it throws by mistake becomes an error that names the function, with the file and
 * line; errors of localgrad and of the operating system explain themselves and are passed on.
 *
 * @param what the function, for the message: `The backbone factory of './own.mjs'`
 * @throws LocalgradError `misuse`
 */
export function callOwn<Result>(what: string, call: () => Result, code: ErrorCode = 'misuse'): Result {
  try {
    return call();
  } catch (error) {
    throw ownError(what, error, code);
  }
}

/** The error that `callOwn` throws. */
export function ownError(what: string, error: unknown, code: ErrorCode = 'misuse'): unknown {
  if (LocalgradError.isInstance(error) || errorCodeOf(error) !== undefined) return error;
  return new LocalgradError(code, `${what} failed: ${locatedMessageOf(error)}`, { what }, { cause: error });
}

/** The code of a caught error of Node or the operating system, e.g. `ENOENT`; undefined for values without one. */
export function errorCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
