import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { createWasmTrainingKernels } from './index.js';
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
  let runtime: WasmRuntime;
  const kernels: WasmTrainingKernels[] = [];

  beforeAll(async () => {
    runtime = await startWasm({ threads: 2 });
    for (const relaxedSimd of [false, true])
      for (const threads of [1, 3])
        kernels.push(await createWasmTrainingKernels(runtime.heap, { threads, relaxedSimd }));
  });
  afterAll(() => {
    for (const one of kernels) one.dispose();
    runtime.dispose();
  });

  function evaluate(one: WasmTrainingKernels | undefined, logits: tf.Tensor4D, targets: tf.Tensor4D, weight: number) {
    const result = one?.binaryCrossEntropy(logits, targets, weight) ?? expect.fail('no kernel');
    return { loss: result.loss.dataSync()[0] ?? Number.NaN, gradient: Float32Array.from(result.gradient.dataSync()) };
  }

  it('agrees with the definition in double precision, also for large and tiny logits', () => {
    const samples = fc.array(fc.tuple(logit, target), { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(samples, fc.constantFrom(1, 5, -0.5), (values, weight) =>
        tf.tidy(() => {
          const [logits, targets] = [values.map(([z]) => z), values.map(([, t]) => t)];
          const expected = reference(logits, targets, weight);
          for (const one of kernels) {
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
      const { loss } = evaluate(kernels[0], mapOf([16, 20, 30]), mapOf([1, 1, 1]), 1);
      const expected = [16, 20, 30].reduce((sum, z) => sum + Math.log1p(Math.exp(-z)), 0) / 3;
      expect(loss / expected).toBeCloseTo(1, 5);
    });
  });

  it('bounds the loss at infinite logits, and passes NaN on', () => {
    tf.tidy(() => {
      const infinite = evaluate(
        kernels[0],
        mapOf([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
        mapOf([0, 0]),
        1,
      );
      expect(infinite.loss).toBe(50);
      expect(infinite.gradient[0]).toBe(0.5);
      expect(Math.abs(infinite.gradient[1] ?? Number.NaN)).toBeLessThan(1e-38);
      const { loss, gradient } = evaluate(kernels[0], mapOf([Number.NaN, 0]), mapOf([0, 1]), 1);
      expect(loss).toBeNaN();
      expect([...gradient]).toEqual([Number.NaN, -0.25]);
    });
  });

  it('yields the same bits on any number of threads', () => {
    tf.tidy(() => {
      const logits = tf.randomNormal<tf.Rank.R4>([4, 32, 32, 5], 0, 3, 'float32', 1);
      const targets = tf.randomUniform<tf.Rank.R4>(logits.shape, 0, 1, 'float32', 2);
      const [one, three, fusedOne, fusedThree] = kernels.map((each) => evaluate(each, logits, targets, 2));
      expect(three).toEqual(one);
      expect(fusedThree).toEqual(fusedOne);
    });
  });
});
