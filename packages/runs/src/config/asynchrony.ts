import { type AsynchronousOptions, checkLocal, describeBuffers, parseAsynchronous } from '@localgrad/asynchronous';
import { LocalgradError, type Optimizer, shown } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { isPipelined } from '../pipeline/is-pipelined.js';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/** The keys that asynchronous training depends on. */
export type AsynchronyConfig = Partial<
  Pick<RunConfig, 'asynchronous' | 'memoryBudget' | 'workers' | 'placement' | 'clipNorm'>
>;

/**
 * Options of asynchronous training; undefined for synchronous training. Which cuts workers may have, their pipeline checks.
 *
 * @param compiled the plan to train
 * @param optimizer the optimizer to train it with
 * @throws LocalgradError about the key `asynchronous` where its expression is wrong, or the plan cannot be trained so
 */
export function asynchronyOf(
  config: AsynchronyConfig,
  compiled: CompiledPlan,
  optimizer: Pick<Optimizer, 'needsWholeStep'>,
): AsynchronousOptions | undefined {
  const { asynchronous = 'none', memoryBudget, workers = 1, placement } = config;
  try {
    const options = parseAsynchronous(asynchronous);
    if (options === undefined) return undefined;
    if (memoryBudget !== undefined) {
      throw new LocalgradError('invalid-option', 'memoryBudget does not count replay buffers; remove one of the two.');
    }
    if (!isPipelined({ workers, placement })) checkLocal(compiled, optimizer);
    else if (options.order !== undefined) {
      const problem = `order '${options.order}' is simulated in one process, but workers train at their own pace; remove one of the two.`;
      throw new LocalgradError('invalid-option', problem);
    }
    // Rejects slow modules that the network does not have.
    describeBuffers(compiled, options, 1);
    return options;
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    const problem = `${shown(asynchronous)}: ${error.message}`;
    throw configError('asynchronous', problem, { code: error.code, cause: error, mentions: ['clipNorm'] });
  }
}
