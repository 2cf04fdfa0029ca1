import { get, type Head, LocalgradError, moduleInputTarget, type Network } from '@localgrad/core';
import { forwardBlocks } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import type { BatchSource, OwnedBatch } from './batch-source.js';
import { checkedBatches } from './label-check.js';
import { nextTurn } from './run-setup.js';

/** Metrics of the plain network on a set of images. */
export interface EvaluationResult {
  /**
   * Metrics by name, averaged over all samples: `loss`, for classifiers `accuracy`, and any others that the head
   * measures.
   */
  readonly metrics: Readonly<Record<string, number>>;
  /** Fraction of correctly classified samples; null if the head is not a classifier. */
  readonly accuracy: number | null;
  /** Mean loss of the classifier. */
  readonly loss: number;
  /** Number of evaluated samples. */
  readonly samples: number;
  /** Present if a metric is not finite: the network has diverged, and its other metrics are meaningless. */
  readonly diverged?: true;
}

/** Metrics that count samples, so that their sums are integers. */
const counts: readonly string[] = ['accuracy', 'top5'];

/**
 * Evaluates the plain network with its final head; auxiliary networks are not used. Reads back from the device once, at
 * the end.
 *
 * @param head default: the classifier of the backbone
 * @throws LocalgradError `misuse` when the head has no `measure`, `invalid-data` when there are no batches
 */
export async function evaluateNetwork(
  network: Network,
  batches: BatchSource,
  head: Head = network.backbone.classifier,
): Promise<EvaluationResult> {
  requireMeasure(head);
  let names: readonly string[] = [];
  let totals: tf.Tensor | undefined;
  let samples = 0;
  try {
    const readsLabels = (head.reads ?? ['labels']).includes('labels');
    for await (const batch of readsLabels ? checkedBatches(batches, network.classes, 0) : batches.epoch(0)) {
      const [size] = batch.images.shape;
      const metrics = measureBatch(network, head, batch);
      batch.dispose();
      if (totals === undefined) names = [...metrics.keys()];
      const before: tf.Tensor | undefined = totals;
      totals = tf.tidy(() => {
        const sums = tf.stack(names.map((name) => tf.mul(get(metrics, name, 'metric'), size)));
        return before === undefined ? sums : tf.add(before, sums);
      });
      tf.dispose([...metrics.values()]);
      before?.dispose();
      samples += size;
      await nextTurn();
    }
    if (totals === undefined) throw new LocalgradError('invalid-data', 'There are no batches to evaluate.');
    const sums = await totals.data<'float32'>();
    return resultOf(names, sums, samples);
  } finally {
    totals?.dispose();
  }
}

/** @throws LocalgradError `misuse` with the name of the head */
export function requireMeasure(head: Head): asserts head is Head & Required<Pick<Head, 'measure'>> {
  if (head.measure !== undefined) return;
  throw new LocalgradError(
    'misuse',
    `The final head '${head.name}' has no method 'measure', which evaluation requires.`,
    { head: head.name },
  );
}

function measureBatch(
  network: Network,
  head: Head & Required<Pick<Head, 'measure'>>,
  { images, targets }: OwnedBatch,
): ReadonlyMap<string, tf.Scalar> {
  const readsInput = head.reads?.includes(moduleInputTarget) === true;
  const cut = readsInput ? network.modules.length - 1 : 0;
  const blocksOf = (modules: Network['modules']) => modules.flatMap(({ blocks }) => blocks);
  const input = forwardBlocks(blocksOf(network.modules.slice(0, cut)), images);
  const features = forwardBlocks(blocksOf(network.modules.slice(cut)), input);
  const metrics = head.measure(features, readsInput ? { ...targets, moduleInput: input } : targets);
  if (features !== input) features.dispose();
  if (input !== images) input.dispose();
  if (metrics.has('loss')) return metrics;
  tf.dispose([...metrics.values()]);
  throw new LocalgradError('misuse', `Method 'measure' of head '${head.name}' returned no 'loss'.`, {
    head: head.name,
  });
}

function resultOf(names: readonly string[], sums: Float32Array, samples: number): EvaluationResult {
  const metrics = Object.fromEntries(
    names.map((name, index) => [name, wholeWhere(counts.includes(name), sums[index] ?? Number.NaN) / samples]),
  );
  const { accuracy = null, loss = Number.NaN } = metrics;
  const diverged = Object.values(metrics).every(Number.isFinite) ? {} : { diverged: true as const };
  return { metrics, accuracy, loss, samples, ...diverged };
}

/** Undoes the float32 rounding of sample fractions. */
function wholeWhere(isCount: boolean, sum: number): number {
  const whole = Math.round(sum);
  return isCount && Math.abs(sum - whole) < 0.01 ? whole : sum;
}
