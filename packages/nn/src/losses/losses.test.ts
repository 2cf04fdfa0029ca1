import type { Targets } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import fixture from '../fixtures/pytorch.json' with { type: 'json' };
import { createRandom } from '../random/random.js';
import { randomTensor, relativeError } from '../testing/check-block.js';
import { LiveBytes } from '../testing/live-bytes.js';
import { classificationMetrics } from './classification-metrics.js';
import { confusionCounts, confusionMetrics } from './confusion.js';
import type { LossFunction } from './loss-function.js';
import { pixelCrossEntropy } from './pixel-cross-entropy.js';
import { binaryCrossEntropy, meanSquaredError } from './pixel-losses.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';
import { supervisedContrastive } from './supervised-contrastive.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const labels = () => tf.tensor1d([0, 2, 2, 1, 0], 'int32');
const random = createRandom(11);
const vectors = () => randomTensor([5, 1, 1, 4], random) as tf.Tensor4D;
const pixels = () => randomTensor([5, 3, 2, 3], random) as tf.Tensor4D;
const images = () => tf.sigmoid(pixels());

interface BatchTargets extends Targets {
  readonly labels: tf.Tensor1D;
  readonly images: tf.Tensor4D;
  readonly values: tf.Tensor2D;
  readonly masks: tf.Tensor3D;
}
const batchTargets = (): BatchTargets => ({
  labels: labels(),
  images: images(),
  values: randomTensor([5, 4], random) as tf.Tensor2D,
  masks: tf.tensor3d(
    Int32Array.from({ length: 30 }, (_, index) => (index * index) % 3),
    [5, 3, 2],
    'int32',
  ),
});

type Reference = (output: tf.Tensor4D, targets: BatchTargets) => tf.Scalar;
const rows = (x: tf.Tensor4D) => tf.reshape(x, [x.shape[0], -1]) as tf.Tensor2D;

const cases: [string, LossFunction, () => tf.Tensor4D, Reference][] = [
  [
    'softmaxCrossEntropy',
    softmaxCrossEntropy,
    vectors,
    (x, targets) => tf.losses.softmaxCrossEntropy(tf.oneHot(targets.labels, 4), rows(x)) as tf.Scalar,
  ],
  [
    'binaryCrossEntropy',
    binaryCrossEntropy,
    pixels,
    (x, targets) => tf.losses.sigmoidCrossEntropy(targets.images, x) as tf.Scalar,
  ],
  [
    'meanSquaredError on images',
    meanSquaredError('images'),
    pixels,
    (x, targets) => tf.losses.meanSquaredError(targets.images, x) as tf.Scalar,
  ],
  [
    'meanSquaredError on labels',
    meanSquaredError('labels'),
    vectors,
    (x, targets) => tf.losses.meanSquaredError(tf.oneHot(targets.labels, 4), rows(x)) as tf.Scalar,
  ],
  [
    'meanSquaredError on values',
    meanSquaredError(),
    vectors,
    (x, targets) => tf.losses.meanSquaredError(targets.values, rows(x)) as tf.Scalar,
  ],
  [
    'pixelCrossEntropy',
    pixelCrossEntropy(),
    pixels,
    (x, targets) =>
      tf.losses.softmaxCrossEntropy(tf.oneHot(tf.reshape(targets.masks, [30]), 3), tf.reshape(x, [30, 3])) as tf.Scalar,
  ],
  [
    'pixelCrossEntropy of labeled pixels',
    pixelCrossEntropy({ ignore: 1 }),
    pixels,
    (x, targets) =>
      tf.div<tf.Scalar>(labeledSum(x, targets.masks), tf.sum(tf.cast(tf.notEqual(targets.masks, 1), 'float32'))),
  ],
  [
    'pixelCrossEntropy over all pixels',
    pixelCrossEntropy({ ignore: 1, over: 'all' }),
    pixels,
    (x, targets) => tf.div<tf.Scalar>(labeledSum(x, targets.masks), 30),
  ],
  ['supervisedContrastive', supervisedContrastive(), vectors, contrastiveReference(0.07, true)],
  [
    'supervisedContrastive, not normalized',
    supervisedContrastive({ temperature: 0.5, normalize: false }),
    vectors,
    contrastiveReference(0.5, false),
  ],
];

/** Cross-entropy of the pixels of classes 0 and 2 of three, summed. */
function labeledSum(x: tf.Tensor4D, masks: tf.Tensor): tf.Tensor {
  const indicators = tf.mul(tf.oneHot(tf.reshape(masks, [30]) as tf.Tensor1D, 3), tf.tensor1d([1, 0, 1]));
  return tf.neg(tf.sum(tf.mul(indicators, tf.logSoftmax(tf.reshape(x, [30, 3])))));
}

it.each<[LossFunction, tf.Tensor]>([
  [softmaxCrossEntropy, tf.zeros([2], 'int32')],
  [pixelCrossEntropy(), tf.zeros([2, 1, 1], 'int32')],
])('$0.name needs two classes, in training and for its metrics', (loss, classes) => {
  const output = tf.ones<tf.Rank.R4>([2, 1, 1, 1]);
  const targets = { labels: classes as tf.Tensor1D, masks: classes };
  const message = `Loss '${loss.name}' needs at least two classes, but the output has 1`;
  expect(() => loss.evaluate(output, targets, 1)).toThrow(message);
  expect(() => loss.metrics?.(output, targets, tf.scalar(0))).toThrow(message);
});

describe('targets of another type', () => {
  it.each<[string, LossFunction, () => tf.Tensor4D, tf.Tensor, RegExp]>([
    ['labels', softmaxCrossEntropy, vectors, tf.tensor1d([0, 1, 2, 1, 0]), /float32 tensor of shape \[5\].*'int32'/],
    ['labels', softmaxCrossEntropy, vectors, tf.zeros([5, 4], 'int32'), /int32 tensor of shape \[5, 4\].*tf\.argMax/],
    ['images', binaryCrossEntropy, pixels, tf.zeros([5, 3, 2, 3], 'int32'), /float32 values of shape \[batch,/],
    ['masks', pixelCrossEntropy(), pixels, tf.zeros([5, 3, 2]), /float32 tensor.*tf\.cast\(masks, 'int32'\)/],
    ['masks', pixelCrossEntropy(), pixels, tf.zeros([5, 3, 2, 3], 'int32'), /tf\.argMax\(oneHot, -1\)/],
  ])('are rejected with loss and cure: %s', (target, loss, create, value, message) => {
    const evaluate = () => loss.evaluate(create(), { [target]: value }, 1);
    expect(evaluate).toThrow(message);
    expect(evaluate).toThrow(`The target '${target}', which loss '${loss.name}' reads`);
  });
});

describe.each(cases)('%s', (name, loss, create, reference) => {
  it('matches the weighted value and gradient of the tape, and leaks no tensors', () => {
    const targets = batchTargets();
    const output = create();
    const wanted = reference(output, targets).dataSync()[0] as number;
    const before = tf.memory().numTensors;
    const result = loss.evaluate(output, targets, 0.25);
    expect(tf.memory().numTensors).toBe(before + 2);
    expect(result.loss.shape).toEqual([]);
    expect(result.cotangent.shape).toEqual(output.shape);
    expect(result.loss.dataSync()[0]).toBeCloseTo(wanted, 4);
    const tape = tf.tidy(() => tf.mul(tf.grad((x: tf.Tensor) => reference(x as tf.Tensor4D, targets))(output), 0.25));
    expect(relativeError(result.cotangent, tape)).toBeLessThan(1e-4);
  });

  it('matches the gradient of finite differences', () => {
    const targets = batchTargets();
    const output = create();
    const { cotangent } = loss.evaluate(output, targets, 1);
    const gradient = cotangent.dataSync();
    const values = output.dataSync();
    const step = 1e-2;
    for (let index = 0; index < values.length; index += 5) {
      const shifted = (amount: number) => {
        const moved = values.slice();
        moved[index] = (moved[index] as number) + amount;
        const result = loss.evaluate(tf.tensor4d(moved, output.shape), targets, 1);
        return result.loss.dataSync()[0] as number;
      };
      const difference = (shifted(step) - shifted(-step)) / (2 * step);
      expect(Math.abs(difference - (gradient[index] as number)), name).toBeLessThan(2e-2);
    }
  });

  it('predicts its peak bytes', () => {
    const repeat = <T extends tf.Tensor>(x: T) => tf.concat([x, x, x, x, x, x]) as T;
    const targets = Object.fromEntries(
      Object.entries(batchTargets()).map(([key, target]) => [key, repeat(target as tf.Tensor)]),
    );
    const output = repeat(create());
    const meter = new LiveBytes();
    const { peak } = meter.peakOf(() => loss.evaluate(output, targets, 1));
    meter.stop();
    const predicted = loss.peakBytes(output.shape.slice(1) as [number, number, number], 30);
    // Temporaries of the kernel are not counted for the loss.
    if (name === 'softmaxCrossEntropy') expect(predicted).toBe(4 * output.size + 4);
    else if (name.startsWith('pixelCrossEntropy')) expect(predicted).toBe(9 * output.size + 5 * 180);
    else expect(Math.abs(peak - predicted), `${peak} for ${predicted}`).toBeLessThan(0.1 * predicted + 64);
  });
});

/** The loss of Khosla et al., implemented literally with differentiable ops. */
function contrastiveReference(temperature: number, normalize: boolean): Reference {
  return (output, targets) => {
    const raw = rows(output);
    const z = normalize ? tf.div<tf.Tensor2D>(raw, tf.norm(raw, 2, 1, true)) : raw;
    const batch = z.shape[0];
    const others = tf.sub<tf.Tensor2D>(1, tf.eye(batch));
    const same = tf.equal(tf.reshape(targets.labels, [batch, 1]), tf.reshape(targets.labels, [1, batch]));
    const positive = tf.mul(tf.cast(same, 'float32'), others);
    const s = tf.div(tf.matMul(z, z, false, true), temperature);
    const logProbability = tf.sub(s, tf.log(tf.sum(tf.mul(tf.exp(s), others), 1, true)));
    const anchors = tf.div(tf.sum(tf.mul(positive, logProbability), 1), tf.maximum(tf.sum(positive, 1), 1));
    return tf.mul<tf.Scalar>(tf.mean(anchors), -temperature / 0.07);
  };
}

describe('supervisedContrastive, golden values', () => {
  const unit = () => tf.tensor4d([1, 0, 0.6, 0.8, 0, 1, -0.8, 0.6], [4, 1, 1, 2]);
  const evaluate = (classes: number[], temperature: number, normalize = true) =>
    supervisedContrastive({ temperature, normalize }).evaluate(unit(), { labels: tf.tensor1d(classes, 'int32') }, 1);

  it.each([
    [[0, 0, 1, 1], 0.07, 1.4565932425710093],
    [[0, 0, 1, 2], 0.07, 0.7282966212855047],
    [[0, 0, 1, 1], 0.5, 4.7717157265257235],
  ])('labels %j, temperature %f', (classes, temperature, wanted) => {
    expect(evaluate(classes, temperature).loss.dataSync()[0]).toBeCloseTo(wanted, 5);
  });

  it('gradient without normalization', () => {
    const found = evaluate([0, 0, 1, 1], 0.07, false).cotangent.dataSync();
    const wanted = [-2.0269, -2.7018, -3.3787, 6.7553, 6.7561, 3.377, 4.2793e-4, -3.3776];
    wanted.forEach((value, index) => {
      expect(Math.abs((found[index] as number) - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
    });
  });

  it.each(fixture.supervisedContrastive)(
    'PyTorch, labels $labels',
    ({ shape, labels: classes, temperature, loss, raw, gradient }) => {
      const [batch, features] = shape as [number, number];
      const output = tf.tensor4d(raw, [batch, 1, 1, features]);
      const targets = { labels: tf.tensor1d(classes, 'int32') };
      const result = supervisedContrastive({ temperature }).evaluate(output, targets, 1);
      expect(result.loss.dataSync()[0]).toBeCloseTo(loss, 4);
      expect(relativeError(result.cotangent, tf.tensor4d(gradient, output.shape))).toBeLessThan(1e-4);
    },
  );
});

describe('binaryCrossEntropy', () => {
  const evaluate = (logit: number, target: number) => {
    const result = binaryCrossEntropy.evaluate(
      tf.tensor4d([logit], [1, 1, 1, 1]),
      { labels: tf.tensor1d([0], 'int32'), images: tf.tensor4d([target], [1, 1, 1, 1]) },
      1,
    );
    // Adding 0 removes the sign of zeros.
    return [result.loss, result.cotangent].map((tensor) => (tensor.dataSync()[0] as number) + 0);
  };

  it('clamps logarithms at −100, and stays finite', () => {
    expect(evaluate(500, 0)).toEqual([100, 1]);
    expect(evaluate(-500, 1)).toEqual([100, -1]);
    expect(evaluate(500, 1)).toEqual([0, 0]);
  });

  it('reports a target that is missing or has another shape', () => {
    const output = tf.zeros([1, 2, 2, 3]) as tf.Tensor4D;
    const targets = { labels: labels() };
    expect(() => binaryCrossEntropy.evaluate(output, targets, 1)).toThrow(
      "The batch has no target 'images', which loss 'binaryCrossEntropy' reads; its targets: labels. Create the batches with `withImages: true`.",
    );
    const wrong = { labels: labels(), images: tf.zeros([1, 2, 2, 1]) as tf.Tensor4D };
    expect(() => binaryCrossEntropy.evaluate(output, wrong, 1)).toThrow(/1×2×2×3.*1×2×2×1/);
    expect(() => pixelCrossEntropy().evaluate(output, { masks: tf.zeros([1, 2, 3], 'int32') }, 1)).toThrow(
      /target 'masks' has shape 1×2×3.*needs 1×2×2/,
    );
    expect(() => meanSquaredError().evaluate(output, { values: tf.zeros([1, 3]) }, 1)).toThrow(/1×2×2×3.*1×3/);
  });
});

describe('classificationMetrics', () => {
  const metricsOf = (scores: number[][], classes: number[]) =>
    new Map(
      [...classificationMetrics(tf.tensor2d(scores), tf.tensor1d(classes, 'int32'))].map(([key, value]) => [
        key,
        value.dataSync()[0] ?? Number.NaN,
      ]),
    );

  it('counts exactly, and leaks no tensors', () => {
    const rows = 7;
    const scores = Array.from({ length: rows }, (_, row) =>
      Array.from({ length: 12 }, (_, column) => (column * 5 + row) % 12),
    );
    // The rank of a label is the number of classes with a higher score.
    const classes = [0, 1, 2, 3, 4, 5, 6];
    const ranks = classes.map(
      (label, row) => scores[row]?.filter((score) => score > (scores[row]?.[label] ?? 0)).length ?? 0,
    );
    const before = tf.memory().numTensors;
    const [x, y] = [tf.tensor2d(scores), tf.tensor1d(classes, 'int32')];
    const metrics = classificationMetrics(x, y);
    expect(tf.memory().numTensors).toBe(before + 4);
    expect([...metrics.keys()]).toEqual(['accuracy', 'top5']);
    const correct = (metrics.get('accuracy')?.dataSync()[0] ?? Number.NaN) * rows;
    expect(Math.abs(correct - ranks.filter((rank) => rank < 1).length)).toBeLessThan(1e-5);
    const amongFive = (metrics.get('top5')?.dataSync()[0] ?? Number.NaN) * rows;
    expect(Math.abs(amongFive - ranks.filter((rank) => rank < 5).length)).toBeLessThan(1e-5);
    tf.dispose([x, y, ...metrics.values()]);
  });

  it('reports top5 for ten or more classes', () => {
    expect([...metricsOf([[1, 2, 3]], [2])]).toEqual([['accuracy', 1]]);
  });

  it('ranks equal scores by index, and counts NaN as wrong', () => {
    expect(metricsOf([[1, 1]], [0]).get('accuracy')).toBe(1);
    expect(metricsOf([[1, 1]], [1]).get('accuracy')).toBe(0);
    for (const label of [0, 1]) expect(metricsOf([[Number.NaN, Number.NaN]], [label]).get('accuracy')).toBe(0);
    expect(metricsOf([[Number.NaN, 1]], [1]).get('accuracy')).toBe(0);
    expect(metricsOf([[Number.NEGATIVE_INFINITY, 1]], [1]).get('accuracy')).toBe(1);
  });
});

describe('pixelCrossEntropy with unlabeled pixels', () => {
  const { logits, masks, loss, lossOverAll, gradient } = fixture.pixelCrossEntropy;
  const output = () => tf.tensor4d(logits, [2, 2, 2, 3]);
  const targets = () => ({ masks: tf.tensor3d(masks, [2, 2, 2], 'int32') });

  it('has the loss and the gradient of PyTorch, over the labeled pixels and over all', () => {
    const labeled = pixelCrossEntropy().evaluate(output(), targets(), 1);
    expect(labeled.loss.dataSync()[0]).toBeCloseTo(loss, 5);
    expect(relativeError(labeled.cotangent, tf.tensor4d(gradient, [2, 2, 2, 3]))).toBeLessThan(1e-5);
    const all = pixelCrossEntropy({ over: 'all' }).evaluate(output(), targets(), 1);
    expect(all.loss.dataSync()[0]).toBeCloseTo(lossOverAll, 5);
    expect(relativeError(all.cotangent, tf.mul(tf.tensor4d(gradient, [2, 2, 2, 3]), 5 / 8))).toBeLessThan(1e-5);
  });

  it('has no loss and no gradient without any labeled pixel, whatever the scores', () => {
    const scores = tf.fill<tf.Rank.R4>([1, 1, 2, 3], Number.NaN);
    const result = pixelCrossEntropy().evaluate(scores, { masks: tf.fill([1, 1, 2], 255, 'int32') }, 1);
    expect([...result.loss.dataSync(), ...result.cotangent.dataSync()].map(Math.abs)).toEqual(Array(7).fill(0));
  });
});

describe('measureProbabilities of pixelCrossEntropy', () => {
  const { logits, masks, loss, lossOverAll } = fixture.pixelCrossEntropy;
  const output = () => tf.tensor4d(logits, [2, 2, 2, 3]);
  const targets = () => ({ masks: tf.tensor3d(masks, [2, 2, 2], 'int32') });

  it.each([
    ['labeled', loss],
    ['all', lossOverAll],
  ] as const)('measures the softmax of the scores like the scores, over %s pixels', (over, expected) => {
    const tested = pixelCrossEntropy({ over });
    const [scores, given] = [output(), targets()];
    const probabilities = tf.softmax<tf.Tensor4D>(scores);
    const before = tf.memory().numTensors;
    const measured = tested.measureProbabilities?.(probabilities, given) ?? new Map();
    expect(tf.memory().numTensors).toBe(before + 3);
    expect(measured.get('loss')?.dataSync()[0]).toBeCloseTo(expected, 5);
    const counts = tested.metrics?.(scores, given, tf.scalar(expected)) ?? new Map();
    expect(measured.get('confusion')?.dataSync()).toEqual(counts.get('confusion')?.dataSync());
    const [total = 0, pixels = 0] = measured.get('lossSum')?.dataSync() ?? [];
    expect(total / pixels).toBeCloseTo(expected, 5);
    expect(counts.get('lossSum')?.dataSync()[0]).toBeCloseTo(total, 4);
  });

  it('is finite for impossible labels, and 0 without labels', () => {
    const certain = tf.tensor4d([1, 0, 0, 1, 0, 0], [1, 1, 2, 3]);
    const lossOf = (labels: readonly number[]) => {
      const given = { masks: tf.tensor3d([...labels], [1, 1, 2], 'int32') };
      return pixelCrossEntropy().measureProbabilities?.(certain, given).get('loss')?.dataSync()[0];
    };
    expect(lossOf([2, 0])).toBeCloseTo(-Math.log(1.2e-38) / 2, 2);
    expect(Math.abs(lossOf([255, 255]) ?? Number.NaN)).toBe(0);
    expect(Math.abs(lossOf([255, 0]) ?? Number.NaN)).toBe(0);
  });

  it('sums over parts of a large image', () => {
    const pixels = 2 ** 18 + 3;
    const labels = Int32Array.from({ length: pixels }, (_, index) => (index % 5 === 0 ? 255 : index % 2));
    // Sure of class 0, with probability 0.75.
    const probabilities = tf.tensor4d(
      Float32Array.from({ length: 2 * pixels }, (_, index) => (index % 2 === 0 ? 0.75 : 0.25)),
      [1, 1, pixels, 2],
    );
    const given = { masks: tf.tensor3d(labels, [1, 1, pixels], 'int32') };
    const before = tf.memory().numTensors;
    const measured = pixelCrossEntropy().measureProbabilities?.(probabilities, given) ?? new Map();
    expect(tf.memory().numTensors).toBe(before + 3);
    const count = (label: number) => labels.filter((one) => one === label).length;
    expect([...(measured.get('confusion')?.dataSync() ?? [])]).toEqual([count(0), 0, count(1), 0]);
    const total = -Math.log(0.75) * count(0) - Math.log(0.25) * count(1);
    expect(measured.get('loss')?.dataSync()[0]).toBeCloseTo(total / (count(0) + count(1)), 3);
    tf.dispose([probabilities, given.masks]);
  });
});

describe('confusionMetrics', () => {
  it('counts labeled rows, and leaves out classes that do not occur', () => {
    const scores = tf.oneHot(tf.tensor1d([0, 0, 1, 1, 0], 'int32'), 4) as tf.Tensor2D;
    const labels = tf.tensor1d([0, 1, 1, 1, 255], 'int32');
    const before = tf.memory().numTensors;
    const counts = confusionCounts(scores, labels, 255);
    expect(tf.memory().numTensors).toBe(before + 1);
    const matrix = Float64Array.from(counts.dataSync());
    expect([...matrix]).toEqual([1, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Intersections over unions: 1/2 and 2/3; right of each class: 1/1 and 2/3.
    const { accuracy, meanAccuracy, meanIoU } = confusionMetrics(matrix);
    expect([accuracy, meanAccuracy, meanIoU]).toEqual([3 / 4, (1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2]);
  });

  it('are NaN where a labeled row has the score NaN, as those of a diverged network', () => {
    const scores = tf.tensor2d([
      [Number.NaN, 1],
      [Number.NEGATIVE_INFINITY, 1],
    ]);
    const metricsOf = (labels: number[]) => {
      const counts = confusionCounts(scores, tf.tensor1d(labels, 'int32'), 255);
      return confusionMetrics(Float64Array.from(counts.dataSync()));
    };
    expect(metricsOf([0, 1])).toEqual({ accuracy: Number.NaN, meanAccuracy: Number.NaN, meanIoU: Number.NaN });
    expect(metricsOf([255, 1])).toEqual({ accuracy: 1, meanAccuracy: 1, meanIoU: 1 });
  });
});

describe('label smoothing', () => {
  const logits = [1.5, -2, 0, 3, 0, 0, 0, 0, -1, 4, 4, -3];
  const evaluate = (labelSmoothing: number, weight = 2) =>
    softmaxCrossEntropy.evaluate(
      tf.tensor4d(logits, [3, 1, 1, 4]),
      { labels: tf.tensor1d([3, 1, 0], 'int32') },
      weight,
      { labelSmoothing },
    );

  it('has the loss and gradient of PyTorch, with tied and zero scores', () => {
    // z.grad of 2 · F.cross_entropy(z, y, label_smoothing=0.1), PyTorch 2.15.
    const { loss, cotangent } = evaluate(0.1);
    expect(loss.dataSync()[0]).toBeCloseTo(2.4557831287384033, 6);
    const wanted = [
      ...[0.09957826882600784, -0.013156374916434288, 0.00927108433097601, -0.0956929624080658],
      ...[0.1499999761581421, -0.44999998807907104, 0.1499999761581421, 0.1499999761581421],
      ...[-0.6144291758537292, 0.3153964877128601, 0.3153964877128601, -0.01636386476457119],
    ];
    expect([...cotangent.dataSync()]).toEqual(wanted.map((value) => expect.closeTo(value, 6)));
  });

  it('of 0 changes no bit, and leaks no tensors', () => {
    const plain = softmaxCrossEntropy.evaluate(
      tf.tensor4d(logits, [3, 1, 1, 4]),
      { labels: tf.tensor1d([3, 1, 0], 'int32') },
      2,
    );
    expect(evaluate(0).cotangent.dataSync()).toEqual(plain.cotangent.dataSync());
    const [x, labels] = [tf.tensor4d(logits, [3, 1, 1, 4]), tf.tensor1d([3, 1, 0], 'int32')];
    const before = tf.memory().numTensors;
    const { loss, cotangent } = softmaxCrossEntropy.evaluate(x, { labels }, 1, { labelSmoothing: 0.3 });
    tf.dispose([loss, cotangent]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
