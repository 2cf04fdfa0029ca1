import { selectBackend } from '@localgrad/backends';
import { at } from '@localgrad/core';
import { prepareRun, type RunConfig, type RunSplits, type RunSummary } from '@localgrad/runs';
import { train } from '@localgrad/train';
import type { Costs } from './plan-costs.js';

/**
 * Seconds per multiply-accumulate of finished runs; undefined if there are none.
 *
 * @param byCondition finished runs of each condition, in the order of `costs`
 */
export function secondsPerWork(
  costs: readonly Costs[],
  byCondition: readonly (readonly RunSummary[])[],
): number | undefined {
  const seconds = byCondition.flatMap((runs) => runs.map((run) => run.seconds));
  if (seconds.length === 0) return undefined;
  const work = byCondition.flatMap((runs, index) => runs.map(() => at(costs, index, 'costs').work));
  return sum(seconds) / sum(work);
}

/** Seconds per multiply-accumulate of a few steps, which follow as many to warm up. */
export async function measureSpeed(
  config: RunConfig,
  data: RunSplits,
  costs: Costs,
  threads: number | undefined,
): Promise<number> {
  const backend = await selectBackend(config.backend, {
    threads: config.threads === 'auto' ? (threads ?? 'auto') : config.threads,
    relaxedSimd: config.relaxedSimd,
    tf32: config.tf32,
  });
  try {
    const run = await prepareRun({ ...config, epochs: 1 }, data);
    try {
      const steps = Math.min(8, run.options.batches.batchesPerEpoch);
      const { batches, testBatches: _, ...rest } = run.options;
      const few = { ...batches, batchesPerEpoch: steps, epoch: () => firstOf(batches.epoch(0), steps) };
      await train({ ...rest, batches: few });
      const { seconds, epochs } = await train({ ...rest, batches: few });
      // Of these steps: those of another phase may have another work.
      const perImage = epochs[0]?.multiplyAccumulatesPerImage ?? costs.work / (data.train.size * config.epochs);
      return seconds / (perImage * Math.min(steps * config.batch, data.train.size));
    } finally {
      run.dispose();
    }
  } finally {
    backend.dispose();
  }
}

async function* firstOf<Item>(items: Iterable<Item> | AsyncIterable<Item>, count: number): AsyncIterable<Item> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    if (++taken === count) return;
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
