import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { relativeError, type ValueKind } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StockCase } from './stock-case.js';
import { drawStockInputs, stockCases, valueKinds } from './stock-cases.js';

/** `npm run test:backend -- NAME` sets it. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

const rows = stockCases.flatMap((row) =>
  valueKinds.map((kind) => [`${row.operation}${row.label && ` ${row.label}`}: ${kind}`, row, kind] as const),
);

async function outcome(row: StockCase, kind: ValueKind): Promise<ArrayLike<number>> {
  const inputs = drawStockInputs(row, kind);
  const result = tf.tidy(() => row.run(inputs));
  const values = Float32Array.from(await result.data());
  tf.dispose([...inputs, result]);
  return values;
}

async function expectedValues(row: StockCase, kind: ValueKind): Promise<ArrayLike<number>> {
  const { element } = row;
  if (element === undefined) return outcome(row, kind);
  const inputs = drawStockInputs(row, kind);
  const values = inputs.map((input) => input.dataSync());
  tf.dispose(inputs);
  return Float32Array.from({ length: values[0]?.length ?? 0 }, (_, at) =>
    element(...values.map((list) => list[at] ?? Number.NaN)),
  );
}

describe(`stock operations on ${name}`, () => {
  const expected = new Map<string, ArrayLike<number>>();
  let backend: BackendHandle;

  beforeAll(async () => {
    const reference = await selectBackend('cpu');
    for (const [title, row, kind] of rows) expected.set(title, await expectedValues(row, kind));
    reference.dispose();
    backend = await selectBackend(name);
    // The backend computes small tensors that are still on the host there, instead of with its shaders.
    if (name === 'webgpu') tf.env().set('WEBGPU_CPU_FORWARD', false);
  }, 300_000);
  afterAll(() => backend.dispose());

  it.each(rows)('%s', async (title, row, kind) => {
    const found = await outcome(row, kind);
    const wanted = expected.get(title) ?? [];
    expect(found.length).toBe(wanted.length);
    expect(relativeError(found, wanted)).toBeLessThanOrEqual(1e-5);
  });
});
