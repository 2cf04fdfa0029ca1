import { stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultTimeout, type SuiteOptions } from '../suite.js';
import { drawInputs, type KernelCase } from './kernel-case.js';
import { kernelCases } from './kernel-cases.js';
import { relativeError } from './relative-error.js';

/** Kernels with their backend started. */
export interface StartedKernels {
  readonly kernels: TrainingKernels;
  dispose(): void;
}

export interface KernelSuiteOptions extends SuiteOptions {
  /** Largest allowed error, relative to a result's largest value; default 1e-5. */
  readonly tolerance?: number;
}

interface Outcome {
  readonly values: readonly Float32Array[];
  readonly shapes: readonly (readonly number[])[];
}

/**
 * Compares every operation of the kernel contract with the stock reference on the `cpu` backend: results, ownership of
 * arguments, and tensor leaks.
 *
 * @param start starts the kernels' backend and makes it the current TensorFlow.js backend
 */
export function describeTrainingKernels(
  name: string,
  start: () => Promise<StartedKernels> | StartedKernels,
  options: KernelSuiteOptions = {},
): void {
  const { timeout = defaultTimeout, tolerance = 1e-5 } = options;

  describe(`training kernels ${name} against the stock reference`, { timeout }, () => {
    const expected = new Map<KernelCase, Outcome>();
    let started: StartedKernels;

    beforeAll(async () => {
      await tf.setBackend('cpu');
      for (const row of kernelCases) expected.set(row, await outcome(stockKernels, row));
      started = await start();
    }, timeout);
    afterAll(() => started.dispose());

    it('have a test case for each operation', () => {
      const operations = Object.entries(stockKernels).filter(([, value]) => typeof value === 'function');
      // Optional: composed of other operations on backends without them.
      const all = new Set([
        ...operations.map(([key]) => key),
        'batchNormForward',
        'conv2dStatistics',
        'conv2dActivatedFilterGradient',
        'conv2dInputGradientInPlace',
        'pooledBatchNormGradient',
        'attention',
        'attentionGradient',
        'gelu',
        'geluGradient',
        'clipAll',
      ]);
      expect(new Set(kernelCases.map(({ kernel }) => kernel))).toEqual(all);
    });

    it.each(kernelCases.map((row) => [`${row.kernel}: ${row.label}`, row] as const))('%s', async (_, row) => {
      const before = tf.memory().numTensors;
      const found = await outcome(started.kernels, row);
      expect(tf.memory().numTensors, 'tensors left').toBe(before);
      const wanted = expected.get(row);
      expect(found.shapes).toEqual(wanted?.shapes);
      wanted?.values.forEach((values, index) => {
        expect(relativeError(found.values[index] ?? [], values), `result ${index}`).toBeLessThanOrEqual(tolerance);
      });
    });

    it('reject a label outside the classes, or mark the loss of its sample as NaN', async () => {
      for (const label of [-1, 4]) {
        const logits = tf.tensor2d([1, 2, 3, 4, 4, 3, 2, 1], [2, 4]);
        const labels = tf.tensor1d([2, label], 'int32');
        const before = tf.memory().numTensors;
        try {
          const { loss, gradient } = started.kernels.softmaxCrossEntropy(logits, labels, 1);
          expect((await loss.data())[0]).toBeNaN();
          const isMissing = Array.from(await gradient.data(), Number.isNaN);
          expect(isMissing).toEqual([false, false, false, false, true, true, true, true]);
          tf.dispose([loss, gradient]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-data', details: { index: 1, label, classes: 4 } });
        }
        expect(tf.memory().numTensors, 'tensors left').toBe(before);
        tf.dispose([logits, labels]);
      }
    });
  });
}

/** Runs a case: consumed arguments must be disposed or returned as results; others must not. */
async function outcome(kernels: TrainingKernels, row: KernelCase): Promise<Outcome> {
  const inputs = drawInputs(row);
  const consumed = (row.consumes ?? []).flatMap((key) => inputs[key] ?? []);
  tf.engine().startScope();
  const results = row.run(kernels, inputs);
  for (const result of results) tf.keep(result);
  tf.engine().endScope();
  for (const [key, tensor] of Object.entries(inputs)) {
    const isGone = tensor.isDisposed || results.includes(tensor);
    expect(isGone, `${key} is consumed`).toBe(consumed.includes(tensor));
  }
  const values: Float32Array[] = [];
  for (const result of results) values.push(Float32Array.from(await result.data()));
  const shapes = results.map(({ shape }) => shape);
  tf.dispose([...Object.values(inputs), ...results]);
  return { values, shapes };
}
