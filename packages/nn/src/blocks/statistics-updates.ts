import type { Block } from '@localgrad/core';
import { type FrugalBlock, vjpReadsOf } from './vjp-reads.js';

/**
 * A block whose running statistics take in each training batch `updates` times, as in reference code that runs its
 * forward that often (docs/methods/engine.md §6). Weights, statistics and passes are those of `block`.
 */
export function withStatisticsUpdates(block: Block, updates: number): Block {
  const wrapped: FrugalBlock = {
    name: block.name,
    inputShape: block.inputShape,
    outputShape: block.outputShape,
    parameters: block.parameters,
    statistics: block.statistics,
    ...(block.cost === undefined ? {} : { cost: block.cost }),
    vjpReads: vjpReadsOf(block),
    forward: (x, mode) =>
      block.forward(x, mode.statisticsUpdates === 0 ? mode : { ...mode, statisticsUpdates: updates }),
    vjp: (pass, dy, want) => block.vjp(pass, dy, want),
    replicate: (scope) => withStatisticsUpdates(block.replicate(scope), updates),
  };
  return wrapped;
}
