import type { Block } from '@localgrad/core';
import { type FrugalBlock, vjpReadsOf } from './vjp-reads.js';

/**
 * A view of `block` that updates its running statistics `updates` times per training batch, as in reference code that
 * runs that many forward passes (docs/methods/engine.md §6). Shares weights, statistics and passes with `block`.
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
