import type { Backbone } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { type BatchSource, finalHeadOf, requireMeasure, requireMetric } from '@localgrad/train';
import { dispose, type Rank, zeros } from '@tensorflow/tfjs';
import { type PlanImages, targetsOf } from '../batch-targets.js';
import { inTermsOfKeys } from './option-keys.js';
import type { RunConfig } from './run-config.js';

/**
 * Whether the network measures the metric of a config: evaluates one black image, before a run has a folder.
 *
 * @throws LocalgradError about the key `metric`
 */
export async function checkMetric(
  config: Pick<RunConfig, 'metric'>,
  compiled: CompiledPlan,
  images: PlanImages,
): Promise<void> {
  const { metric } = config;
  if (metric === undefined) return;
  const head = finalHeadOf(compiled);
  requireMeasure(head);
  await inTermsOfKeys(config, () =>
    requireMetric(compiled.network, blackImage(images, compiled.network.backbone), head, metric),
  );
}

function blackImage(images: PlanImages, backbone: Backbone): BatchSource {
  return {
    ...{ samples: 1, batchSize: 1, batchesPerEpoch: 1 },
    *epoch() {
      const targets = targetsOf(images, backbone).createTargets?.(1) ?? { labels: zeros<Rank.R1>([1], 'int32') };
      const batch = { images: zeros<Rank.R4>([1, ...images.imageShape]), targets };
      const tensors = [batch.images, ...Object.values(targets)];
      yield { ...batch, dispose: () => dispose(tensors.filter((tensor) => tensor !== undefined)) };
    },
  };
}
