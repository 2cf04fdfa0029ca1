import { type Head, LocalgradError, type Network, requireOption } from '@localgrad/core';
import type { BatchSource } from './batch-source.js';
import { evaluateNetwork } from './evaluation.js';
import { accuracyMetric, type Metric } from './metric.js';
import type { TrainOptions } from './trainer.js';

/** The metric that the user names, or else the main one of the head. */
export function metricOf(head: Head, name = head.mainMetric ?? accuracyMetric.name): Metric {
  return { name, lowerIsBetter: name === 'loss' || head.errorMetrics?.includes(name) === true };
}

/**
 * The metric that the records of a run name; undefined for accuracy, and if nothing is evaluated.
 *
 * @throws LocalgradError as `requireMetric`
 */
export async function metricToRecord(
  { compiled, validationBatches, testBatches, metric }: TrainOptions,
  head: Head,
): Promise<Metric | undefined> {
  const batches = validationBatches ?? testBatches;
  if (batches === undefined) return undefined;
  await requireMetric(compiled.network, batches, head, metric);
  const found = metricOf(head, metric);
  return found.name === accuracyMetric.name ? undefined : found;
}

/**
 * Evaluates one batch to see whether a head measures a metric.
 *
 * @throws LocalgradError `invalid-option` if it does not measure `metric`, which the user names; `misuse` if it does not measure
 * the one that it names itself
 */
export async function requireMetric(
  network: Network,
  batches: BatchSource,
  head: Head,
  metric: string | undefined,
): Promise<void> {
  const { name } = metricOf(head, metric);
  if (metric === undefined && name === accuracyMetric.name) return;
  const { metrics } = await evaluateNetwork(network, firstOf(batches), head);
  const names = Object.keys(metrics);
  if (metric !== undefined) requireOption(names.includes(name), 'train', 'metric', name, names.join(', '));
  if (names.includes(name)) return;
  throw new LocalgradError(
    'misuse',
    `Head '${head.name}' names '${name}' as its main metric, but measures only: ${names.join(', ')}.`,
    { head: head.name, metric: name, measured: names },
  );
}

/** The first batch alone. */
function firstOf(batches: BatchSource): BatchSource {
  return {
    ...batches,
    async *epoch(epoch) {
      for await (const batch of batches.epoch(epoch)) {
        yield batch;
        return;
      }
    },
  };
}
