import { formatShape, LocalgradError, locatedMessageOf, requireSynchronous } from '@localgrad/core';
import { Tensor } from '@tensorflow/tfjs';

/** A function of the options of a tape block or head. */
export interface TapeFunction {
  /** Kind and name of its owner, e.g. `tapeHead 'aux'`. */
  readonly where: string;
  /** Name of the option. */
  readonly option: 'fn' | 'predict' | 'measure';
  /** Names of the targets that it may read; none for functions without targets. */
  readonly reads?: readonly string[];
  /** Names and shapes of the parameters that it receives, in their order. */
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** Tensors that a function may read and must not dispose, with the words for them in messages. */
export type Borrowed = Readonly<Record<string, unknown>>;

/** Calls a function of the options. @throws LocalgradError `misuse` with its owner and the original error as the cause */
export function callFunction<T>(from: TapeFunction, borrowed: Borrowed, call: () => T): T {
  const { where, option, reads } = from;
  let returned: T;
  try {
    returned = call();
  } catch (error) {
    if (LocalgradError.isInstance(error)) throw error;
    // TensorFlow.js only says that a disposed tensor has no backend.
    requireAlive(from, borrowed, error);
    const problem = `${where}: ${option} failed: ${locatedMessageOf(error)}. ${argumentsOf(from)}`;
    throw new LocalgradError('misuse', problem, { where, option, reads }, { cause: error });
  }
  requireSynchronous(returned, `${where}: ${option}`);
  requireAlive(from, borrowed);
  return returned;
}

/** What a function received: a misplaced or forgotten parameter is `undefined` in it. */
function argumentsOf({ parameters, reads }: TapeFunction): string {
  const weights = parameters.map(({ name, shape }) => `'${name}' of shape ${formatShape(shape)}`).join(', ') || 'none';
  const targets =
    reads === undefined ? '' : ` Targets that it may read: ${reads.join(', ') || 'none'} (option 'reads').`;
  return `Parameters that it receives: ${weights}.${targets}`;
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
function requireAlive({ where, option }: TapeFunction, borrowed: Borrowed, cause?: unknown): void {
  const disposed = Object.entries(borrowed).find(([, value]) => value instanceof Tensor && value.isDisposed);
  if (disposed === undefined) return;
  throw new LocalgradError(
    'misuse',
    `${where}: ${option} disposed ${disposed[0]}, which it only borrows; tensors of the function are disposed automatically.`,
    { where, option },
    { cause },
  );
}

function description(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value !== 'object' || value === null) return `the ${typeof value} ${String(value)}`;
  return `an object with ${Object.keys(value).join(', ') || 'no members'}`;
}
