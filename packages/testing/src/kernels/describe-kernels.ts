import { stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultTimeout, type SuiteOptions } from '../suite.js';
import { drawInputs, type KernelCase, kernelCases } from './kernel-cases.js';

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
export function describeKernels(
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
      // Optional: composed of two other operations on backends without it.
      const all = new Set([...operations.map(([key]) => key), 'batchNormForward']);
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
  });
}

function relativeError(found: ArrayLike<number>, wanted: Float32Array): number {
  let [largest, error] = [1e-3, 0];
  for (const [index, value] of wanted.entries()) {
    largest = Math.max(largest, Math.abs(value));
    // NaN stays NaN, and fails.
    error = Math.max(error, Math.abs(value - (found[index] ?? Number.NaN)));
  }
  return error / largest;
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
