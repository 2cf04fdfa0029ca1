import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';

/**
 * Which stored batch a module reads. `priorityLifo`: of those read least often, the newest. `lifo`: the newest. `random`: any.
 * `publishedLifo`: `priorityLifo` as in the published code, where the oldest batch of a full buffer counts as the newest.
 */
export const samplings = ['priorityLifo', 'lifo', 'random', 'publishedLifo'] as const;
export type Sampling = (typeof samplings)[number];

/**
 * Whose turn it is. `sequential`: in the order of the modules, each at its own pace. `random`: a module is drawn, with a
 * probability inverse to its pace.
 */
export const orders = ['sequential', 'random'] as const;
export type Order = (typeof orders)[number];

/** A module that takes longer than the others. */
export interface SlowModule {
  /** Index of the module, from 0. */
  readonly module: number;
  /** Duration of its steps in steps of the other modules, at least 1. */
  readonly pace: number;
}

/** Options of asynchronous training. */
export interface AsynchronousOptions {
  /** Batches that each module but the last stores for its successor, M. Default 1. */
  readonly bufferSize?: number;
  /** Which stored batch a module reads. Default `priorityLifo`. */
  readonly sampling?: Sampling;
  /**
   * How often a module may read a batch again after the first time; it skips its turn if no other batch is stored.
   * Default: without limit.
   */
  readonly maxReuse?: number;
  /** Whose turn it is. Default `sequential`. */
  readonly order?: Order;
  /** Modules that take longer than the others. Default: none. */
  readonly slow?: readonly SlowModule[];
}

const keys = [
  'bufferSize',
  'sampling',
  'maxReuse',
  'order',
  'slow',
] as const satisfies readonly (keyof AsynchronousOptions)[];

const where = 'asynchronous';

/**
 * Fills in the defaults.
 *
 * @param modules number of modules; default: unknown, so that the indices of slow modules are not checked
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function resolveAsynchronous(
  options: AsynchronousOptions,
  modules = Number.POSITIVE_INFINITY,
): Required<AsynchronousOptions> {
  rejectUnknownKeys(where, options, keys);
  const {
    bufferSize = 1,
    sampling = 'priorityLifo',
    maxReuse = Number.POSITIVE_INFINITY,
    order = 'sequential',
    slow = [],
  } = options;
  requireOption(Number.isInteger(bufferSize) && bufferSize >= 1, where, 'bufferSize', bufferSize, 'integers ≥ 1');
  requireOption(samplings.includes(sampling), where, 'sampling', sampling, samplings.join(', '));
  requireOption(orders.includes(order), where, 'order', order, orders.join(', '));
  const isCount = Number.isInteger(maxReuse) || maxReuse === Number.POSITIVE_INFINITY;
  requireOption(isCount && maxReuse >= 0, where, 'maxReuse', maxReuse, 'integers ≥ 0');
  for (const { module, pace } of slow) {
    const indices = Number.isFinite(modules) ? `module indices from 0 to ${modules - 1}` : 'module indices ≥ 0';
    requireOption(Number.isInteger(module) && module >= 0 && module < modules, where, 'slow', module, indices);
    requireOption(Number.isFinite(pace) && pace >= 1, where, 'slow', `${module}@${pace}`, 'paces ≥ 1, e.g. 3@2');
  }
  const indices = slow.map(({ module }) => module);
  const repeated = indices.find((module, index) => indices.indexOf(module) !== index);
  if (repeated !== undefined) {
    throw new LocalgradError('invalid-option', `${where}: option 'slow' has two paces for module ${repeated}.`);
  }
  return { bufferSize, sampling, maxReuse, order, slow };
}
