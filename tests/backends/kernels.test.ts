import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { currentKernels, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawInputs, type KernelCase } from './cases/kernel-case.js';
import { kernelCases } from './cases/kernel-cases.js';
import { relativeError } from './relative-error.js';

/** `npm run test:backend -- NAME` sets it. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

interface Outcome {
  readonly values: readonly Float32Array[];
  readonly shapes: readonly (readonly number[])[];
}

/** Runs a case; whatever else it made is gone, and what it consumes is disposed or lives on as a result. */
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

describe(`training kernels on ${name} against stock TensorFlow.js on cpu`, () => {
  const expected = new Map<KernelCase, Outcome>();
  let backend: BackendHandle;

  beforeAll(async () => {
    const reference = await selectBackend('cpu');
    for (const row of kernelCases) expected.set(row, await outcome(stockKernels, row));
    reference.dispose();
    backend = await selectBackend(name);
  }, 300_000);
  afterAll(() => backend.dispose());

  it('has rows for each kernel', () => {
    const kernels = Object.entries(stockKernels).filter(([, value]) => typeof value === 'function');
    expect(new Set(kernelCases.map(({ kernel }) => kernel))).toEqual(
      // Optional: made of two others where a backend has none.
      new Set([...kernels.map(([key]) => key), 'batchNormForward']),
    );
  });

  it.each(kernelCases.map((row) => [`${row.kernel}: ${row.label}`, row] as const))('%s', async (_, row) => {
    const before = tf.memory().numTensors;
    const found = await outcome(currentKernels(), row);
    expect(tf.memory().numTensors, 'tensors left').toBe(before);
    const wanted = expected.get(row) as Outcome;
    expect(found.shapes).toEqual(wanted.shapes);
    wanted.values.forEach((values, index) => {
      expect(relativeError(found.values[index] ?? [], values), `result ${index}`).toBeLessThanOrEqual(1e-5);
    });
  });

  it('never trains on a label outside the classes', async () => {
    for (const label of [-1, 4]) {
      const logits = tf.tensor2d([1, 2, 3, 4, 4, 3, 2, 1], [2, 4]);
      const labels = tf.tensor1d([2, label], 'int32');
      const before = tf.memory().numTensors;
      try {
        const { loss, gradient } = currentKernels().softmaxCrossEntropy(logits, labels, 1);
        expect((await loss.data())[0]).toBeNaN();
        const isMissing = Array.from(await gradient.data(), Number.isNaN);
        expect(isMissing).toEqual([false, false, false, false, true, true, true, true]);
        tf.dispose([loss, gradient]);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid-data', details: { index: 1, label, classes: 4 } });
      }
      expect(tf.memory().numTensors).toBe(before);
      tf.dispose([logits, labels]);
    }
  });
});
