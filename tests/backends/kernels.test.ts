import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { currentKernels, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawInputs, type KernelCase, kernelCases } from './kernel-cases.js';

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
      const scale = Math.max(1e-3, ...values.map(Math.abs));
      const error = values.reduce((largest, value, at) => {
        return Math.max(largest, Math.abs(value - (found.values[index]?.[at] ?? Number.NaN)));
      }, 0);
      expect(error / scale, `result ${index}`).toBeLessThanOrEqual(1e-5);
    });
  });
});
