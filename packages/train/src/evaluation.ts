import { get, type Head, LocalgradError, moduleInputTarget, type Network, rejectUnknownKeys } from '@localgrad/core';
import { forwardBlocks } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { type Averaging, averagedProbabilities, checkAveraging, isAveraged } from './averaged-probabilities.js';
import type { BatchSource, OwnedBatch } from './batch-source.js';
import { checkedBatches } from './label-check.js';
import { NetworksBySize, type SizedNetwork } from './networks-by-size.js';
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

/** Options of `evaluateNetwork`. */
export interface EvaluationOptions {
  /**
   * Factors of height and width at which a network for label maps sees each image; its class probabilities at the size of the image
   * are averaged. Default [1].
   */
  readonly scales?: readonly number[];
  /** Also average over the mirror images of every scale, for label maps. Default false. */
  readonly flip?: boolean;
  /** Stops the evaluation between two batches or scales; it then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of samples that are evaluated. */
  readonly onProgress?: (samples: number) => void;
}

/** Metrics that count samples, so that their sums are integers. */
const samplewise: readonly string[] = ['accuracy', 'top5'];

/**
 * Evaluates the plain network with its final head; auxiliary networks are not used. Reads back from the device once, at
 * the end; with a head that counts, also after each batch, since the sums of counts exceed what float32 can represent.
 *
 * If the head predicts label maps, images may have another height and width than the network was built for, and each batch others.
 * With `scales` or `flip`, metrics are those of the averaged class probabilities; `loss` is the mean of their negative logarithms.
 *
 * @param head default: the classifier of the backbone
 * @throws LocalgradError `misuse` when the head has no `measure`, `invalid-data` when there are no batches, `invalid-option` for
 *   `scales` or `flip` with a head that does not predict label maps, `shape-mismatch`
 */
export async function evaluateNetwork(
  network: Network,
  batches: BatchSource,
  head: Head = network.backbone.classifier,
  options: EvaluationOptions = {},
): Promise<EvaluationResult> {
  requireMeasure(head);
  const averaging = averagingOf(options, head);
  const networks = new NetworksBySize(network, head);
  const { signal, onProgress } = options;
  let names: readonly string[] = [];
  let totals: tf.Tensor | undefined;
  let samples = 0;
  const counts = new Map<string, Float64Array>();
  try {
    const readsLabels = (head.reads ?? ['labels']).includes('labels');
    for await (const batch of readsLabels ? checkedBatches(batches, network.classes, 0) : batches.epoch(0)) {
      const [size] = batch.images.shape;
      const measured = await disposing(batch, () => {
        signal?.throwIfAborted();
        return averaging === undefined
          ? measureBatch(networks.forImages(batch.images), batch)
          : measureAveraged(networks, head, batch, averaging, signal);
      });
      const metrics = await takeCounts(measured, counts);
      if (totals === undefined) names = [...metrics.keys()];
      const before: tf.Tensor | undefined = totals;
      totals = tf.tidy(() => {
        const sums = tf.stack(names.map((name) => tf.mul(get(metrics, name, 'metric'), size)));
        return before === undefined ? sums : tf.add(before, sums);
      });
      tf.dispose([...metrics.values()]);
      before?.dispose();
      samples += size;
      onProgress?.(samples);
      await nextTurn();
    }
    if (totals === undefined) throw new LocalgradError('invalid-data', 'There are no batches to evaluate.');
    const sums = await totals.data<'float32'>();
    return resultOf(names, sums, samples, summaryOf(head, counts));
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

/** Undefined for the prediction of the image itself. */
function averagingOf(options: EvaluationOptions, head: Head): Averaging | undefined {
  const where = 'evaluateNetwork';
  rejectUnknownKeys(where, options, ['scales', 'flip', 'signal', 'onProgress']);
  const { scales = [1], flip = false } = options;
  const averaging = { scales, flip };
  checkAveraging(where, averaging);
  if (!isAveraged(averaging)) return undefined;
  if (head.measureProbabilities !== undefined) return averaging;
  throw new LocalgradError(
    'invalid-option',
    `${where}: options 'scales' and 'flip' are for networks that predict label maps; head '${head.name}' does not. Allowed: scales [1], flip false.`,
    { where, head: head.name },
  );
}

/** Disposes the batch afterwards, also if `measure` throws. */
async function disposing<Result>(batch: OwnedBatch, measure: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await measure();
  } finally {
    batch.dispose();
  }
}

async function measureAveraged(
  networks: NetworksBySize,
  head: Head,
  { images, targets }: OwnedBatch,
  averaging: Averaging,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, tf.Tensor>> {
  const probabilities = await averagedProbabilities(networks, images, averaging, signal);
  try {
    return head.measureProbabilities?.(probabilities, targets) ?? new Map();
  } finally {
    probabilities.dispose();
  }
}

function measureBatch(
  { network, head }: SizedNetwork,
  { images, targets }: OwnedBatch,
): ReadonlyMap<string, tf.Tensor> {
  requireMeasure(head);
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

/** Adds the counts among a batch's measurements to their sums, and returns the others. */
async function takeCounts(
  measured: ReadonlyMap<string, tf.Tensor>,
  counts: Map<string, Float64Array>,
): Promise<ReadonlyMap<string, tf.Tensor>> {
  const metrics = new Map(measured);
  for (const [name, tensor] of measured) {
    if (tensor.rank === 0) continue;
    metrics.delete(name);
    const values = await tensor.data();
    tensor.dispose();
    const sums = counts.get(name) ?? new Float64Array(values.length);
    counts.set(
      name,
      sums.map((sum, index) => sum + (values[index] ?? Number.NaN)),
    );
  }
  return metrics;
}

function summaryOf(head: Head, counts: ReadonlyMap<string, Float64Array>): Readonly<Record<string, number>> {
  if (counts.size === 0) return {};
  if (head.summarize !== undefined) return head.summarize(counts);
  throw new LocalgradError(
    'misuse',
    `Method 'measure' of head '${head.name}' returned counts (${[...counts.keys()].join(', ')}), but the head has no method 'summarize'.`,
    { head: head.name },
  );
}

function resultOf(
  names: readonly string[],
  sums: Float32Array,
  samples: number,
  summary: Readonly<Record<string, number>>,
): EvaluationResult {
  const means = names.map((name, index) => [
    name,
    wholeWhere(samplewise.includes(name), sums[index] ?? Number.NaN) / samples,
  ]);
  const metrics: Readonly<Record<string, number>> = { ...Object.fromEntries(means), ...summary };
  const { accuracy = null, loss = Number.NaN } = metrics;
  const diverged = Object.values(metrics).every(Number.isFinite) ? {} : { diverged: true as const };
  return { metrics, accuracy, loss, samples, ...diverged };
}

/** Undoes the float32 rounding of sample fractions. */
function wholeWhere(isCount: boolean, sum: number): number {
  const whole = Math.round(sum);
  return isCount && Math.abs(sum - whole) < 0.01 ? whole : sum;
}
