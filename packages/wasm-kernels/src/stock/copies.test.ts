import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });
const dtypes = fc.constantFrom('float32', 'int32', 'bool');

/** A part of a tensor: the shape with begin and size along each axis; some are whole, some empty. */
const parts = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    ranges: fc.tuple(
      ...shape.map((length) =>
        fc.oneof(
          fc.constant([0, length] as const),
          fc.tuple(fc.integer({ min: 0, max: length - 1 }), fc.nat(length)).map(([begin, size]) => {
            return [begin, Math.min(size, length - begin)] as const;
          }),
        ),
      ),
    ),
  }),
);

function counted(shape: readonly number[], dtype: string, first = 0): tf.Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  const values = Array.from({ length: size }, (_, index) =>
    dtype === 'bool' ? ((index + first) % 3) % 2 : index + first,
  );
  return tf.tensor(values, [...shape], dtype as 'float32');
}

interface Outcome {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: readonly number[];
}

function outcomes(run: () => tf.Tensor | tf.Tensor[]): Outcome[] {
  const before = tf.memory().numTensors;
  const results = tf.tidy(run);
  const list = Array.isArray(results) ? results : [results];
  const found = list.map((x) => ({ shape: x.shape, dtype: x.dtype, values: [...x.dataSync()] }));
  tf.dispose(results);
  expect(tf.memory().numTensors).toBe(before);
  return found;
}

let runtime: WasmRuntime;
beforeAll(async () => {
  runtime = await startWasm({ threads: 2 });
});
afterAll(() => runtime.dispose());

/** The same on the reference backend. */
async function expectReference(run: () => tf.Tensor | tf.Tensor[]): Promise<void> {
  const found = outcomes(run);
  await tf.setBackend('cpu');
  const wanted = outcomes(run);
  await tf.setBackend('wasm');
  expect(found).toEqual(wanted);
}

describe('copies on wasm', () => {
  it('slice yields the part of any tensor', async () => {
    await fc.assert(
      fc.asyncProperty(parts, dtypes, async ({ shape, ranges }, dtype) => {
        const [begin, size] = [0, 1].map((index) => ranges.map((range) => range[index] ?? 0)) as [number[], number[]];
        await expectReference(() => tf.slice(counted(shape, dtype), begin, size));
      }),
    );
  });

  it('concat and stack join tensors along any axis, split and unstack cut them', async () => {
    const cases = fc.record({
      shape: shapes,
      axis: fc.nat(4),
      lengths: fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, dtypes, fc.boolean(), async ({ shape, axis, lengths }, dtype, isNegative) => {
        const place = axis % shape.length;
        const given = isNegative ? place - shape.length : place;
        await expectReference(() => {
          const inputs = lengths.map((length, index) => counted(shape.with(place, length), dtype, 7 * index));
          return tf.concat(inputs, given);
        });
        await expectReference(() =>
          tf.stack(
            lengths.map((_, index) => counted(shape, dtype, 5 * index)),
            given,
          ),
        );
        await expectReference(() => tf.unstack(counted(shape, dtype), given));
        const total = lengths.reduce((sum, length) => sum + length, 0);
        if (total > 0) await expectReference(() => tf.split(counted(shape.with(place, total), dtype), lengths, given));
      }),
    );
  });

  it('are differentiated', async () => {
    await expectReference(() => {
      const x = tf.tensor4d(counted([2, 3, 4, 5], 'float32').dataSync(), [2, 3, 4, 5]);
      return tf.grad((input: tf.Tensor) => {
        const [first, second] = tf.split(input, [2, 3], 3) as [tf.Tensor, tf.Tensor];
        const joined = tf.concat([tf.square(second), first, tf.slice(input, [0, 0, 0, 1], [2, 3, 4, 2])], 3);
        return tf.sum(tf.mul(tf.stack(tf.unstack(joined, 1), 1), joined));
      })(x);
    });
  });

  it('join and cut tensors that threads share', async () => {
    const shape = [64, 65, 48];
    await expectReference(() => tf.concat([counted(shape, 'float32'), counted([64, 65, 16], 'float32', 9)], 2));
    await expectReference(() => tf.slice(counted([64, 65, 192], 'float32'), [0, 1, 64], [64, 60, 64]));
  });

  it('reject parts beyond the tensor and shapes that do not fit, as stock operations do', () => {
    const x = counted([2, 3], 'float32');
    expect(() => tf.slice(x, [0, 2], [2, 2])).toThrow();
    expect(() => tf.concat([x, counted([3, 3], 'float32')], 1)).toThrow();
    expect(() => tf.split(x, 2, 1)).toThrow();
    x.dispose();
  });
});
