import { LocalgradError, messageOf, requireSynchronous } from '@localgrad/core';
import { Tensor } from '@tensorflow/tfjs';

/** A function of the options of a tape block or head. */
export interface TapeFunction {
  /** Kind and name of its owner, e.g. `tapeHead 'aux'`. */
  readonly where: string;
  /** Name of the option. */
  readonly option: 'fn' | 'predict' | 'measure';
  /** Names of the targets that it may read; none for functions without targets. */
  readonly reads?: readonly string[];
}

/** Calls a function of the options. @throws LocalgradError `misuse` with its owner and the original error as the cause */
export function callFunction<T>({ where, option, reads }: TapeFunction, call: () => T): T {
  let returned: T;
  try {
    returned = call();
  } catch (error) {
    if (LocalgradError.isInstance(error)) throw error;
    const targets =
      reads === undefined ? '' : ` Targets that it may read: ${reads.join(', ') || 'none'} (option 'reads').`;
    const problem = `${where}: ${option} threw "${messageOf(error)}".${targets}`;
    throw new LocalgradError('misuse', problem, { where, option, reads }, { cause: error });
  }
  requireSynchronous(returned, `${where}: ${option}`);
  return returned;
}

/**
 * The result of a function that returns a tensor, or an object with a tensor and others. @throws LocalgradError `misuse` for
 * anything else
 *
 * @param member name of the tensor in the object
 */
export function tensorOrObject<T extends object>(
  { where, option }: TapeFunction,
  member: keyof T & string,
  returned: Tensor | T,
): Tensor | T {
  const found: unknown = returned;
  if (returned instanceof Tensor) return returned;
  const inner: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, member) : undefined;
  if (inner instanceof Tensor) return returned;
  throw new LocalgradError(
    'misuse',
    `${where}: ${option} returned ${description(found)}; it must return a tensor, or an object with the tensor '${member}'.`,
    { where, option },
  );
}

/** @throws LocalgradError `misuse` unless a function returned a tensor */
export function requireTensor({ where, option }: TapeFunction, what: string, value: unknown): asserts value is Tensor {
  if (value instanceof Tensor) return;
  throw new LocalgradError(
    'misuse',
    `${where}: ${option} returned ${description(value)}${what}; it must be a tensor.`,
    {
      where,
      option,
    },
  );
}

/** @throws LocalgradError `misuse` if a function disposed a tensor that it only borrows */
export function requireAlive({ where, option }: TapeFunction, borrowed: Readonly<Record<string, Tensor>>): void {
  const disposed = Object.entries(borrowed).find(([, { isDisposed }]) => isDisposed);
  if (disposed === undefined) return;
  throw new LocalgradError(
    'misuse',
    `${where}: ${option} disposed ${disposed[0]}, which it only borrows; tensors of the function are disposed automatically.`,
    { where, option },
  );
}

function description(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value !== 'object' || value === null) return `the ${typeof value} ${String(value)}`;
  return `an object with ${Object.keys(value).join(', ') || 'no members'}`;
}
