import { at, type Shape3 } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import fixtures from './fixtures/pytorch.json' with { type: 'json' };
import { similarityMatching } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Feature maps of a fixture's shape. */
function mapsOf(values: readonly number[], [batch = 0, height = 0, width = 0, channels = 0]: readonly number[]) {
  return tf.tensor4d([...values], [batch, height, width, channels]);
}

/** Largest difference, relative to the largest expected value. */
function relativeError(found: tf.Tensor, expected: readonly number[]): number {
  const values = found.dataSync();
  const largest = Math.max(1e-6, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, index) => Math.abs(value - at(values, index, 'value')))) / largest;
}

describe('similarityMatching', () => {
  it.each(fixtures.losses)('matches loss and gradient of PyTorch: $name', ({ shape, labels, classes, ...expected }) => {
    const before = tf.memory().numTensors;
    const output = mapsOf(expected.input, shape);
    const targets = { labels: tf.tensor1d(labels, 'int32') };
    const { loss, cotangent } = similarityMatching(classes).evaluate(output, targets, 0.5);
    expect(loss.dataSync()[0]).toBeCloseTo(expected.loss, 6);
    expect(cotangent.shape).toEqual(output.shape);
    // The gradient of one sample is rounding error of the order 1e-8.
    const gradient = expected.gradient.map((value) => 0.5 * value);
    expect(relativeError(cotangent, gradient)).toBeLessThan(labels.length === 1 ? 1 : 5e-5);
    tf.dispose([output, targets.labels, loss, cotangent]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('has the published golden values', () => {
    const lossOf = (name: string) => fixtures.losses.find((one) => one.name === name)?.loss;
    expect(lossOf('golden map')).toBeCloseTo(0.4801584482, 9);
    expect(lossOf('golden rows')).toBeCloseTo(1.0054869337656738, 12);
  });

  it.each<[string, Shape3]>([
    ['vectors', [1, 1, 6]],
    ['maps', [3, 2, 5]],
    ['maps of three channels', [3, 2, 3]],
  ])('matches finite differences on %s', (_, shape) => {
    const random = createRandom(3);
    const size = shape[0] * shape[1] * shape[2];
    const values = Float32Array.from({ length: 4 * size }, () => random.normal());
    const targets = { labels: tf.tensor1d([0, 1, 0, 2], 'int32') };
    const loss = similarityMatching(3);
    const lossAt = (index: number, shift: number) => {
      const moved = values.slice();
      moved[index] = at(moved, index, 'value') + shift;
      return at(loss.evaluate(tf.tensor4d(moved, [4, ...shape]), targets, 1).loss.dataSync(), 0, 'loss');
    };
    const gradient = loss.evaluate(tf.tensor4d(values, [4, ...shape]), targets, 1).cotangent.dataSync();
    for (let index = 0; index < values.length; index += 3) {
      const difference = (lossAt(index, 1e-2) - lossAt(index, -1e-2)) / 2e-2;
      expect(Math.abs(difference - at(gradient, index, 'value'))).toBeLessThan(2e-3);
    }
  });

  it('stays finite for constant feature maps, constant rows and equal samples', () => {
    const targets = { labels: tf.tensor1d([0, 1, 1], 'int32') };
    for (const shape of [
      [2, 2, 5],
      [1, 1, 4],
      [1, 1, 1],
    ] as const) {
      const output: tf.Tensor4D = tf.fill([3, ...shape], 2);
      const { loss, cotangent } = similarityMatching(2).evaluate(output, targets, 1);
      expect(loss.dataSync()[0]).toBeCloseTo(1, 5);
      expect(cotangent.dataSync().every(Number.isFinite)).toBe(true);
    }
  });

  it('propagates NaN', () => {
    const output = tf.tensor4d([Number.NaN, 1, 2, 3, 4, 6], [2, 1, 1, 3]);
    const { loss } = similarityMatching(2).evaluate(output, { labels: tf.tensor1d([0, 1], 'int32') }, 1);
    expect(loss.dataSync()[0]).toBeNaN();
  });

  it('reports missing labels', () => {
    expect(() => similarityMatching(2).evaluate(tf.zeros([1, 1, 1, 2]), {}, 1)).toThrow(
      "The batch has no target 'labels', which loss 'similarityMatching' reads",
    );
  });
});
