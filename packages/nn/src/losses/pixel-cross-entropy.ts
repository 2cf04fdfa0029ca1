import {
  bytesOf,
  formatShape,
  LocalgradError,
  rejectUnknownKeys,
  requireOption,
  sameShape,
  type Targets,
} from '@localgrad/core';
import { computedTensor, currentKernels } from '@localgrad/kernels';
import {
  cast,
  clone,
  dispose,
  div,
  log,
  logicalNot,
  maximum,
  mul,
  neg,
  notEqual,
  oneHot,
  type Rank,
  reshape,
  type Scalar,
  scalar,
  stack,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tidy,
  unstack,
  where,
  zerosLike,
} from '@tensorflow/tfjs';
import { asScoreRows, confusionCounts, confusionMetrics, sumOverRows } from './confusion.js';
import type { LossFunction, LossResult } from './loss-function.js';
import { checkClasses, requireClasses, requireTarget } from './targets.js';

/** Options of `pixelCrossEntropy`. */
export interface PixelCrossEntropyOptions {
  /** Name of the target with the class of each pixel, int32, shape [batch, height, width]. Default `masks`. */
  readonly target?: string;
  /** Value of pixels that have no class: they have no loss and count in no metric. Default 255. */
  readonly ignore?: number;
  /** The loss is the mean over the pixels that have a class (`labeled`, default), or over `all`, as in mmsegmentation. */
  readonly over?: 'labeled' | 'all';
}

const lossName = 'pixelCrossEntropy';
const reader = `loss '${lossName}'`;

/**
 * Mean cross-entropy over samples and pixels, for dense prediction. Metrics: `loss`, `accuracy`, `meanAccuracy` and `meanIoU` over
 * all pixels of an evaluation (`confusionMetrics`), whatever its batches are; the main one is `meanIoU`.
 *
 * @throws LocalgradError `invalid-option`
 */
export function pixelCrossEntropy(options: PixelCrossEntropyOptions = {}): LossFunction {
  rejectUnknownKeys(lossName, options, ['target', 'ignore', 'over']);
  const { target = 'masks', ignore = 255, over = 'labeled' } = options;
  requireOption(Number.isInteger(ignore), lossName, 'ignore', ignore, 'integers');
  requireOption(['labeled', 'all'].includes(over), lossName, 'over', over, 'labeled, all');
  const metrics = (output: Tensor4D, targets: Targets, loss: Scalar) => {
    const labels = pixelLabels(output, targets, target);
    const confusion = tidy(() => confusionCounts(asScoreRows(output), labels, ignore));
    const lossSum = tidy(() => {
      const pixels = over === 'all' ? scalar(labels.size) : sum<Scalar>(cast(notEqual(labels, ignore), 'float32'));
      return stack([mul(loss, pixels), pixels]);
    });
    labels.dispose();
    return new Map<string, Tensor>([
      ['confusion', confusion],
      ['lossSum', lossSum],
    ]);
  };
  return {
    name: lossName,
    reads: [target],
    predicts: true,
    evaluate: (output, targets, weight) => {
      const labels = pixelLabels(output, targets, target);
      const result = crossEntropy(output, labels, { ignore, over, weight });
      labels.dispose();
      return result;
    },
    metrics,
    measureProbabilities: (probabilities, targets) => {
      const labels = pixelLabels(probabilities, targets, target);
      const loss = tidy(() => likelihoodLoss(asScoreRows(probabilities), labels, { ignore, over }));
      labels.dispose();
      return new Map<string, Tensor>([['loss', loss], ...metrics(probabilities, targets, loss)]);
    },
    mainMetric: 'meanIoU',
    summarize: (counts) => {
      // Batches have different numbers of labeled pixels, so that their mean losses have no meaningful mean.
      const [total = Number.NaN, pixels = 0] = counts.get('lossSum') ?? [];
      return { loss: total / Math.max(pixels, 1), ...confusionMetrics(counts.get('confusion') ?? new Float64Array()) };
    },
    peakBytes: (shape, batchSize) => {
      const pixels = batchSize * shape[0] * shape[1];
      // The scores of the labeled pixels, what replaces the others, and a byte for each score that says which; a byte for each
      // pixel, and 4.
      return 2.25 * bytesOf(shape, batchSize) + 5 * pixels;
    },
  };
}

interface Reduction {
  readonly ignore: number;
  readonly over: 'labeled' | 'all';
  readonly weight: number;
}

/** About the smallest normal number of float32, so that its logarithm is finite. */
const smallestProbability = 1.2e-38;
/** e⁻²⁰⁰ is 0 in float32. */
const certainty = 200;

/**
 * The kernel averages over all rows. A row without a class gets class 0 and scores that are certain of it: its loss and its
 * gradient are 0. What remains is to divide by the number of labeled rows instead of all.
 */
function crossEntropy(output: Tensor4D, labels: Tensor1D, { ignore, over, weight }: Reduction): LossResult {
  const isLabeled = notEqual<Tensor1D>(labels, ignore);
  const { logits, classes } = tidy(() => labeledRows(output, labels, isLabeled));
  const { loss, gradient } = currentKernels().softmaxCrossEntropy(logits, classes, weight);
  dispose([logits, classes]);
  const result = tidy(() => {
    if (over === 'all') return { loss: clone(loss), cotangent: reshape<Rank.R4>(gradient, output.shape) };
    const scale = div<Scalar>(labels.size, maximum(sum(cast(isLabeled, 'float32')), 1));
    return { loss: mul<Scalar>(loss, scale), cotangent: reshape<Rank.R4>(mul(gradient, scale), output.shape) };
  });
  dispose([isLabeled, loss, gradient]);
  return result;
}

function labeledRows(output: Tensor4D, labels: Tensor1D, isLabeled: Tensor1D) {
  const [rows, classes] = [labels.size, output.shape[3]];
  const certain = computedTensor<Tensor2D>(() => new Float32Array(classes).fill(-certainty, 1), [1, classes]);
  // Operands of the full size, by multiplication, because `where` broadcasts its operands slowly on wasm.
  const ones = computedTensor<Tensor2D>(() => new Float32Array(classes).fill(1), [1, classes]);
  const logits = tidy(() => {
    const unlabeled = tidy(() => cast(reshape<Rank.R2>(logicalNot(isLabeled), [rows, 1]), 'float32'));
    const isReplaced = tidy(() => cast(mul<Tensor2D>(unlabeled, ones), 'bool'));
    return where<Tensor2D>(isReplaced, mul<Tensor2D>(unlabeled, certain), asScoreRows(output));
  });
  return { logits, classes: where<Tensor1D>(isLabeled, labels, zerosLike(labels)) };
}

/** Mean negative logarithm of the probability of each label. */
function likelihoodLoss(
  probabilities: Tensor2D,
  labels: Tensor1D,
  { ignore, over }: Pick<Reduction, 'ignore' | 'over'>,
): Scalar {
  const sums = sumOverRows(probabilities, labels, (rows, classes) => {
    const isLabeled = notEqual<Tensor1D>(classes, ignore);
    const known = oneHot(where<Tensor1D>(isLabeled, classes, zerosLike(classes)), rows.shape[1]);
    const logarithms = log(maximum(sum(mul(rows, cast(known, 'float32')), 1), smallestProbability));
    const counted = cast(isLabeled, 'float32');
    return stack([neg(sum(mul(counted, logarithms))), sum(counted)]);
  });
  const [loss, labeled] = unstack(sums) as [Scalar, Scalar];
  return div(loss, over === 'all' ? labels.size : maximum(labeled, 1));
}

/** The classes of all pixels, [batch · height · width]; shares the target's data. */
function pixelLabels(output: Tensor4D, targets: Targets, name: string): Tensor1D {
  requireClasses(output.shape[3], lossName);
  const masks = requireTarget(targets, name, reader);
  checkClasses(name, masks, reader, 3);
  const [batch, height, width] = output.shape;
  if (!sameShape(masks.shape, [batch, height, width])) {
    throw new LocalgradError(
      'shape-mismatch',
      `Loss '${lossName}': target '${name}' has shape ${formatShape(masks.shape)}; output ${formatShape(output.shape)} needs ${formatShape([batch, height, width])}.`,
      { target: name, found: masks.shape, output: output.shape },
    );
  }
  return reshape(masks, [batch * height * width]);
}
