import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { useVariants } from './variants.fixture.js';
import type { WasmTrainingKernels } from './wasm-training-kernels.js';

const logit = fc.oneof(
  fc.double({ min: -20, max: 20, noNaN: true }),
  fc.constantFrom(0, -0, 1e-6, -1e-6, 1e-30, -1e-30, 87.3, -87.4, 99, -99, 100.5, -100.5, 1e9, -1e9),
);
const target = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1));

/** The definition in double precision. */
function reference(logits: readonly number[], targets: readonly number[], weight: number) {
  const rounded = logits.map(Math.fround);
  const wanted = targets.map(Math.fround);
  const losses = rounded.map((z, index) => {
    const t = wanted[index] ?? 0;
    const l = Math.log1p(Math.exp(-Math.abs(z)));
    return t * Math.min(100, Math.max(-z, 0) + l) + (1 - t) * Math.min(100, Math.max(z, 0) + l);
  });
  const gradient = rounded.map(
    (z, index) => (weight * (1 / (1 + Math.exp(-z)) - (wanted[index] ?? 0))) / logits.length,
  );
  return { loss: losses.reduce((sum, value) => sum + value, 0) / logits.length, gradient };
}

const mapOf = (values: readonly number[]) => tf.tensor4d([...values], [1, 1, values.length, 1]);

describe('binaryCrossEntropy', () => {
  const variants = useVariants();

  function evaluate(one: WasmTrainingKernels, logits: tf.Tensor4D, targets: tf.Tensor4D, weight: number) {
    const result = one.binaryCrossEntropy(logits, targets, weight);
    return { loss: result.loss.dataSync()[0] ?? Number.NaN, gradient: Float32Array.from(result.gradient.dataSync()) };
  }

  it('agrees with the definition in double precision, also for large and tiny logits', () => {
    const samples = fc.array(fc.tuple(logit, target), { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(samples, fc.constantFrom(1, 5, -0.5), (values, weight) =>
        tf.tidy(() => {
          const [logits, targets] = [values.map(([z]) => z), values.map(([, t]) => t)];
          const expected = reference(logits, targets, weight);
          const { one: first, three, fusedOne, fusedThree } = variants();
          for (const one of [first, three, fusedOne, fusedThree]) {
            const { loss, gradient } = evaluate(one, mapOf(logits), mapOf(targets), weight);
            expect(Math.abs(loss - expected.loss)).toBeLessThan(2e-7 * (1 + expected.loss));
            for (const [index, value] of gradient.entries())
              expect(Math.abs(value - (expected.gradient[index] ?? 0)) * logits.length).toBeLessThan(
                2e-7 * Math.abs(weight),
              );
          }
        }),
      ),
      { numRuns: 100 },
    );
  });

  it('keeps the digits of small losses', () => {
    tf.tidy(() => {
      const { loss } = evaluate(variants().one, mapOf([16, 20, 30]), mapOf([1, 1, 1]), 1);
      const expected = [16, 20, 30].reduce((sum, z) => sum + Math.log1p(Math.exp(-z)), 0) / 3;
      expect(loss / expected).toBeCloseTo(1, 5);
    });
  });

  it('bounds the loss at infinite logits, and passes NaN on', () => {
    tf.tidy(() => {
      const infinite = evaluate(
        variants().one,
        mapOf([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
        mapOf([0, 0]),
        1,
      );
      expect(infinite.loss).toBe(50);
      expect(infinite.gradient[0]).toBe(0.5);
      expect(Math.abs(infinite.gradient[1] ?? Number.NaN)).toBeLessThan(1e-38);
      const { loss, gradient } = evaluate(variants().one, mapOf([Number.NaN, 0]), mapOf([0, 1]), 1);
      expect(loss).toBeNaN();
      expect([...gradient]).toEqual([Number.NaN, -0.25]);
    });
  });

  it('yields the same bits on any number of threads', () => {
    tf.tidy(() => {
      const logits = tf.randomNormal<tf.Rank.R4>([4, 32, 32, 5], 0, 3, 'float32', 1);
      const targets = tf.randomUniform<tf.Rank.R4>(logits.shape, 0, 1, 'float32', 2);
      const run = (kernels: WasmTrainingKernels) => evaluate(kernels, logits, targets, 2);
      const { one, three, fusedOne, fusedThree } = variants();
      expect(run(three)).toEqual(run(one));
      expect(run(fusedThree)).toEqual(run(fusedOne));
    });
  });
});

/** The definition in double precision. */
function softmaxReference(logits: readonly (readonly number[])[], labels: readonly number[], weight: number) {
  const losses: number[] = [];
  const gradient = logits.flatMap((row, sample) => {
    const scores = row.map(Math.fround);
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const label = labels[sample] ?? 0;
    const rest = powers.reduce((sum, power, index) => (index === label ? sum : sum + power), 0);
    const total = rest + (powers[label] ?? 0);
    losses.push(powers[label] === 1 ? Math.log1p(rest) : Math.log(total) + largest - (scores[label] ?? 0));
    return powers.map((power, index) => ((index === label ? -rest : power) * weight) / total / logits.length);
  });
  // Rounding x − max moves its power by up to 2⁻²⁴ |x − max|, relatively; powers of less than −90 are 0.
  const spread = Math.max(...logits.map((row) => Math.max(...row) - Math.min(...row)));
  const rounding = 2 ** -24 * Math.min(90, spread);
  return { loss: losses.reduce((sum, value) => sum + value, 0) / logits.length, gradient, rounding };
}

describe('softmaxCrossEntropy', () => {
  const variants = useVariants();

  function evaluate(one: WasmTrainingKernels, logits: tf.Tensor2D, labels: tf.Tensor1D, weight: number) {
    const result = one.softmaxCrossEntropy(logits, labels, weight);
    return { loss: result.loss.dataSync()[0] ?? Number.NaN, gradient: Float32Array.from(result.gradient.dataSync()) };
  }

  it('agrees with the definition in double precision to the digits of float32, also where a sample is all but certain', () => {
    const score = fc.oneof(
      fc.double({ min: -20, max: 20, noNaN: true }),
      fc.constantFrom(0, -0, 1, 1, 80, -80, 1e9, -1e9, 1e-30),
    );
    const batches = fc.integer({ min: 1, max: 23 }).chain((classes) =>
      fc.array(fc.tuple(fc.array(score, { minLength: classes, maxLength: classes }), fc.nat({ max: classes - 1 })), {
        minLength: 1,
        maxLength: 9,
      }),
    );
    fc.assert(
      fc.property(batches, fc.constantFrom(1, 5, -0.5), (samples, weight) =>
        tf.tidy(() => {
          const [scores, labels] = [samples.map(([row]) => row), samples.map(([, label]) => label)];
          const expected = softmaxReference(scores, labels, weight);
          const { one: first, three, fusedOne, fusedThree } = variants();
          for (const one of [first, three, fusedOne, fusedThree]) {
            const found = evaluate(one, tf.tensor2d(scores), tf.tensor1d(labels, 'int32'), weight);
            expect(Math.abs(found.loss - expected.loss)).toBeLessThanOrEqual(
              (3e-7 + expected.rounding) * Math.abs(expected.loss) + 1e-37,
            );
            for (const [index, value] of found.gradient.entries()) {
              const wanted = expected.gradient[index] ?? 0;
              expect(Math.abs(value - wanted)).toBeLessThanOrEqual(
                (1e-6 + expected.rounding) * Math.abs(wanted) + 1e-37,
              );
            }
          }
        }),
      ),
      {
        numRuns: 100,
        examples: [
          [
            [
              [[0, 80, 11.438462734222412], 0],
              [[0, 0, 0], 0],
            ],
            1,
          ],
        ],
      },
    );
  });

  it('yields NaN for a sample with NaN or ∞, and its loss, and leaves the others alone', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      tf.tidy(() => {
        const logits = tf.tensor2d([1, value, 2, 1, 1, 1], [2, 3]);
        const { loss, gradient } = evaluate(variants().one, logits, tf.tensor1d([0, 1], 'int32'), 6);
        expect(loss).toBeNaN();
        expect([...gradient.subarray(0, 3)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
        expect([...gradient.subarray(3)]).toEqual([1, -2, 1]);
      });
    }
  });

  it('yields the same bits on any number of threads', () => {
    tf.tidy(() => {
      const logits = tf.randomNormal<tf.Rank.R2>([4000, 19], 0, 3, 'float32', 1);
      const labels = tf.cast(tf.randomUniform<tf.Rank.R1>([4000], 0, 19, 'float32', 2), 'int32') as tf.Tensor1D;
      const run = (kernels: WasmTrainingKernels) => evaluate(kernels, logits, labels, 2);
      const { one, three, fusedOne, fusedThree } = variants();
      expect(run(three)).toEqual(run(one));
      expect(run(fusedThree)).toEqual(run(fusedOne));
    });
  });
});
