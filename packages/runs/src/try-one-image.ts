import { type Clock, clockAt } from '@localgrad/core';
import { type CompiledPlan, createTrainStep, partSizes, splitBatch } from '@localgrad/engine';
import type { BatchSource } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { buildPlan } from './build-plan.js';
import { optimizerOf } from './config/optimization.js';
import type { NameOptions } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import { withFirstBatch } from './run-batches.js';
import type { RunImages } from './run-images.js';

/**
 * Trains a copy of the network on one image if only the last batch of an epoch has a micro-batch of one: what cannot be trained on
 * it, e.g. batch norm on maps of 1×1, would be found at the end of the first epoch.
 *
 * @throws LocalgradError as the step
 */
export async function tryOneImage(
  config: RunConfig,
  images: RunImages,
  batches: BatchSource,
  names: NameOptions,
): Promise<void> {
  const { samples, batchSize } = batches;
  const smallest = (size: number) => Math.min(...partSizes(size, config.accumulate));
  if (smallest(batchSize) === 1 || smallest(samples % batchSize || batchSize) > 1) return;
  const plan = await buildPlan({ ...config, accumulate: 1 }, images, names);
  try {
    const { compiled, catalog } = plan;
    const optimizer = optimizerOf(config, catalog);
    const step = createTrainStep({ compiled, optimizer, recordSteps: false });
    try {
      await withFirstBatch(batches, async (batch) => {
        const [part] = splitBatch(batch, batchSize);
        for (const clock of lastSteps(compiled, config.epochs, batches.batchesPerEpoch)) {
          const result = part?.with((one) => step.run(one, clock));
          tf.dispose([...(result?.losses.values() ?? []), ...(result?.terms.values() ?? [])]);
        }
      });
    } finally {
      step.dispose();
      optimizer.dispose();
    }
  } finally {
    plan.dispose();
  }
}

/** The last step of an epoch in each phase that has one. */
function lastSteps({ phaseAt }: CompiledPlan, epochs: number, batchesPerEpoch: number): Iterable<Clock> {
  const clocks = Array.from({ length: epochs }, (_, epoch) =>
    clockAt((epoch + 1) * batchesPerEpoch - 1, epochs, batchesPerEpoch),
  );
  return new Map(clocks.map((clock) => [phaseAt(clock), clock])).values();
}
