import type { Targets } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import fixture from '../fixtures/pytorch.json' with { type: 'json' };
import { createRandom } from '../random/random.js';
import { randomTensor, relativeError } from '../testing/check-block.js';
import { LiveBytes } from '../testing/live-bytes.js';
import type { LossFunction } from './loss-function.js';
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

type Reference = (output: tf.Tensor4D, targets: Targets) => tf.Scalar;
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
    (x, targets) => tf.losses.sigmoidCrossEntropy(targets.images as tf.Tensor4D, x) as tf.Scalar,
  ],
  [
    'meanSquaredError on images',
    meanSquaredError('images'),
    pixels,
    (x, targets) => tf.losses.meanSquaredError(targets.images as tf.Tensor4D, x) as tf.Scalar,
  ],
  [
    'meanSquaredError on labels',
    meanSquaredError('labels'),
    vectors,
    (x, targets) => tf.losses.meanSquaredError(tf.oneHot(targets.labels, 4), rows(x)) as tf.Scalar,
  ],
  ['supervisedContrastive', supervisedContrastive(), vectors, contrastiveReference(0.07, true)],
  [
    'supervisedContrastive, not normalised',
    supervisedContrastive({ temperature: 0.5, normalise: false }),
    vectors,
    contrastiveReference(0.5, false),
  ],
];

describe.each(cases)('%s', (name, loss, create, reference) => {
  it('has value and gradient of the tape, weighted, and leaks nothing', () => {
    const targets = { labels: labels(), images: images() };
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

  it('has the gradient of finite differences', () => {
    const targets = { labels: labels(), images: images() };
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

  it('says how many bytes it needs', () => {
    const repeat = <T extends tf.Tensor>(x: T) => tf.concat([x, x, x, x, x, x]) as T;
    const targets = { labels: repeat(labels()), images: repeat(images()) };
    const output = repeat(create());
    const meter = new LiveBytes();
    const { peak } = meter.peakOf(() => loss.evaluate(output, targets, 1));
    meter.stop();
    const predicted = loss.peakBytes(output.shape.slice(1) as [number, number, number], 30);
    if (loss === softmaxCrossEntropy) expect(predicted).toBe(4 * output.size + 4);
    else expect(Math.abs(peak - predicted), `${peak} for ${predicted}`).toBeLessThan(0.1 * predicted + 64);
  });
});

/** The loss of Khosla et al. literally, with differentiable ops. */
function contrastiveReference(temperature: number, normalise: boolean): Reference {
  return (output, targets) => {
    const raw = rows(output);
    const z = normalise ? tf.div<tf.Tensor2D>(raw, tf.norm(raw, 2, 1, true)) : raw;
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
  const evaluate = (classes: number[], temperature: number, normalise = true) =>
    supervisedContrastive({ temperature, normalise }).evaluate(unit(), { labels: tf.tensor1d(classes, 'int32') }, 1);

  it.each([
    [[0, 0, 1, 1], 0.07, 1.4565932425710093],
    [[0, 0, 1, 2], 0.07, 0.7282966212855047],
    [[0, 0, 1, 1], 0.5, 4.7717157265257235],
  ])('labels %j, temperature %f', (classes, temperature, wanted) => {
    expect(evaluate(classes, temperature).loss.dataSync()[0]).toBeCloseTo(wanted, 5);
  });

  it('gradient without normalisation', () => {
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
    // Without the sign of zeros.
    return [result.loss, result.cotangent].map((tensor) => (tensor.dataSync()[0] as number) + 0);
  };

  it('counts no logarithm below −100, and stays finite', () => {
    expect(evaluate(500, 0)).toEqual([100, 1]);
    expect(evaluate(-500, 1)).toEqual([100, -1]);
    expect(evaluate(500, 1)).toEqual([0, 0]);
  });

  it('says what it misses', () => {
    const output = tf.zeros([1, 2, 2, 3]) as tf.Tensor4D;
    const targets = { labels: labels() };
    expect(() => binaryCrossEntropy.evaluate(output, targets, 1)).toThrow(/no images/);
    const wrong = { labels: labels(), images: tf.zeros([1, 2, 2, 1]) as tf.Tensor4D };
    expect(() => binaryCrossEntropy.evaluate(output, wrong, 1)).toThrow(/1×2×2×3.*1×2×2×1/);
  });
});
