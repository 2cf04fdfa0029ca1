import { printable, shortened, shown } from './shown.js';

/**
 * Category of an error. Stable, so that programs can branch on it.
 *
 * - `invalid-option`: an option has a disallowed value.
 * - `unknown-name`: a name is not registered (the message lists the registered ones).
 * - `shape-mismatch`: tensors or blocks do not fit together.
 * - `invalid-plan`: objectives contradict each other or the network.
 * - `invalid-data`: a file or data set is corrupt or has an unexpected format.
 * - `missing-dependency`: an optional package or a system file is not installed.
 * - `backend-unavailable`: a TensorFlow.js backend cannot be started on this machine.
 * - `backend-lost`: a running backend stopped working: its device was lost or reported an error.
 * - `out-of-memory`: a step does not fit in memory, or an allocation failed.
 * - `non-finite-loss`: a loss became NaN or infinite.
 * - `misuse`: an API was called in an unsupported order or with unsupported objects.
 */
export type ErrorCode =
  | 'invalid-option'
  | 'unknown-name'
  | 'shape-mismatch'
  | 'invalid-plan'
  | 'invalid-data'
  | 'missing-dependency'
  | 'backend-unavailable'
  | 'backend-lost'
  | 'out-of-memory'
  | 'non-finite-loss'
  | 'misuse';

/** Longer names are not typos: no suggestion is searched for. */
const longestName = 100;

const marker = Symbol.for('localgrad.error');

/**
 * The error class of all localgrad packages. The message states what is wrong, where, and what is allowed; control
 * characters are escaped.
 */
export class LocalgradError extends Error {
  /** Kind of error, for programs; `invalid-option`, `shape-mismatch`, … */
  readonly code: ErrorCode;
  /** Machine-readable details: offending value, file, offset, allowed names, predicted bytes, … */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(printable(message), options);
    this.name = 'LocalgradError';
    this.code = code;
    this.details = details;
    Object.defineProperty(this, marker, { value: true });
  }

  /** True for errors of any copy of this package, unlike `instanceof`. */
  static isInstance(error: unknown): error is LocalgradError {
    return typeof error === 'object' && error !== null && marker in error;
  }
}

/** The allowed names, sorted by edit distance to `name`. */
export function closestFirst(name: string, allowed: readonly string[]): string[] {
  if (name.length > longestName) return [...allowed];
  return [...allowed].sort((a, b) => editDistance(name, a) - editDistance(name, b) || a.localeCompare(b));
}

/**
 * An error for a name that is not registered.
 *
 * @param what kind of name, e.g. `method`
 */
export function unknownName(what: string, name: string, allowed: readonly string[]): LocalgradError {
  const [nearest] = closestFirst(name, allowed);
  const isNear = nearest !== undefined && name.length <= longestName && editDistance(name, nearest) <= 2;
  const hint = isNear ? ` Did you mean '${nearest}'?` : '';
  return new LocalgradError('unknown-name', `Unknown ${what} ${shown(name)}.${hint} Allowed: ${listed(allowed)}.`, {
    what,
    name: shortened(name),
    allowed: [...allowed],
  });
}

/** Names with a comma in quotes, as the list would not show where they end. */
function listed(names: readonly string[]): string {
  return names.map((name) => (name.includes(',') ? shown(name) : name)).join(', ') || 'none';
}

/** Throws when `options` has a key that is not in `allowed`; the message lists the allowed keys. */
export function rejectUnknownKeys(where: string, options: object, allowed: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!allowed.includes(key)) throw unknownName(`option of ${where}`, key, allowed);
  }
}

/** Throws an `invalid-option` error unless `condition` holds. */
export function requireOption(
  condition: boolean,
  where: string,
  option: string,
  value: unknown,
  allowed: string,
): asserts condition {
  if (!condition) {
    const message = `${where}: option '${option}' is ${shown(value)}; allowed: ${allowed}.`;
    throw new LocalgradError('invalid-option', message, {
      where,
      option,
      value: typeof value === 'string' ? shortened(value) : value,
      allowed,
    });
  }
}

/** Number of letters that differ, whatever their case. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1]?.toLowerCase() === b[column - 1]?.toLowerCase();
      const substitution = (previous[column - 1] ?? 0) + (isSame ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
