import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { supervisedContrastive } from './supervised-contrastive.js';

const temperature = 0.5;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Khosla et al. 2020, equation 2, with one view per sample: −mean over anchors of the mean over their positives. */
function formula(rows: readonly (readonly number[])[], labels: readonly number[]): number {
  const unit = rows.map((row) => row.map((value) => value / Math.hypot(...row)));
  const similarity = (i: number, j: number) =>
    (unit[i] ?? []).reduce((sum, value, at) => sum + value * (unit[j]?.[at] ?? 0), 0) / temperature;
  const losses = rows.map((_row, anchor) => {
    const others = rows.map((_other, index) => index).filter((index) => index !== anchor);
    const positives = others.filter((index) => labels[index] === labels[anchor]);
    if (positives.length === 0) return 0;
    const total = others.reduce((sum, index) => sum + Math.exp(similarity(anchor, index)), 0);
    const terms = positives.map((index) => similarity(anchor, index) - Math.log(total));
    return -terms.reduce((sum, term) => sum + term, 0) / positives.length;
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / rows.length;
}

describe('supervisedContrastive', () => {
  const loss = supervisedContrastive({ temperature, baseTemperature: temperature });

  it.each([
    [
      'two classes and a sample alone in its class',
      [
        [1, 2],
        [2, -1],
        [0.5, 1],
        [-1, -1],
      ],
      [0, 1, 0, 2],
    ],
    [
      'a class each',
      [
        [1, 2],
        [2, -1],
        [0.5, 1],
      ],
      [0, 1, 2],
    ],
    ['one sample', [[1, 2]], [3]],
  ])('matches the formula for %s, and finite differences', (_, rows, labels) => {
    const evaluate = (values: readonly (readonly number[])[]) => {
      const output = tf.reshape(
        values.map((row) => [...row]),
        [rows.length, 1, 1, 2],
      ) as tf.Tensor4D;
      const result = loss.evaluate(output, { labels: tf.tensor1d(labels, 'int32') }, 1);
      return { loss: result.loss.dataSync()[0] ?? Number.NaN, gradient: [...result.cotangent.dataSync()] };
    };
    const { loss: found, gradient } = evaluate(rows);
    expect(found).toBeCloseTo(formula(rows, labels), 5);
    gradient.forEach((value, at) => {
      const moved = (step: number) =>
        formula(
          rows.map((row, n) => row.map((entry, c) => entry + (2 * n + c === at ? step : 0))),
          labels,
        );
      expect(value).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 4);
    });
  });
});

describe('supervisedContrastive where the others are far from the anchor', () => {
  const far = [
    [1, 0],
    [-1, 0.1],
    [-1, -0.1],
  ];
  it.each([0.01, 0.002])('stays finite at temperature %f', (low) => {
    const loss = supervisedContrastive({ temperature: low, baseTemperature: low });
    const output = tf.tensor4d(far.flat(), [3, 1, 1, 2]);
    const { loss: found, cotangent } = loss.evaluate(output, { labels: tf.tensor1d([0, 0, 1], 'int32') }, 1);
    const unit = far.map(([a = 0, b = 0]) => [a / Math.hypot(a, b), b / Math.hypot(a, b)] as const);
    const similarity = (i: number, j: number) => {
      const [[a, b], [c, d]] = [unit[i] ?? [0, 0], unit[j] ?? [0, 0]];
      return (a * c + b * d) / low;
    };
    // Anchor 0 is as far from its positive as from the other; anchor 1 is close to the other.
    const wanted = (Math.log(2) + similarity(1, 2) - similarity(1, 0)) / 3;
    expect(found.dataSync()[0]).toBeCloseTo(wanted, 3);
    expect([...cotangent.dataSync()].every(Number.isFinite)).toBe(true);
  });
});
