import type { AxisMap } from '@localgrad/kernels';
import { stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { useVariants } from './variants.fixture.js';

/** A band of weights in each row, which may be empty, and may contain zeros. */
const maps: fc.Arbitrary<AxisMap> = fc.integer({ min: 1, max: 9 }).chain((inputs) =>
  fc.array(
    fc
      .record({ first: fc.nat(inputs - 1), band: fc.array(fc.constantFrom(0, 0.25, -0.5, 0.7, 1), { maxLength: 4 }) })
      .map(({ first, band }) => Array.from({ length: inputs }, (_, input) => band[input - first] ?? 0)),
    { minLength: 1, maxLength: 12 },
  ),
);

const problems = fc.record({
  map: maps,
  transposed: fc.boolean(),
  outer: fc.integer({ min: 1, max: 4 }),
  inner: fc.integer({ min: 1, max: 40 }),
  seed: fc.integer({ min: 1, max: 1000 }),
});

type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never;

function inputOf({ map, transposed, outer, inner, seed }: Problem): tf.Tensor3D {
  return tf.randomNormal<tf.Rank.R3>(
    [outer, transposed ? map.length : (map[0]?.length ?? 0), inner],
    0,
    1,
    'float32',
    seed,
  );
}

/** The definition, in the order and precision of the kernel. */
function reference(x: tf.Tensor3D, { map, transposed, outer, inner }: Problem): Float32Array {
  const values = x.dataSync();
  const inputs = x.shape[1];
  const outputs = transposed ? (map[0]?.length ?? 0) : map.length;
  const result = new Float32Array(outer * outputs * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < outputs; i++)
      for (let c = 0; c < inner; c++) {
        let sum = 0;
        for (let k = 0; k < inputs; k++) {
          const weight = Math.fround((transposed ? map[k]?.[i] : map[i]?.[k]) ?? 0);
          if (weight !== 0) sum = Math.fround(sum + Math.fround(weight * (values[(o * inputs + k) * inner + c] ?? 0)));
        }
        result[(o * outputs + i) * inner + c] = sum;
      }
  return result;
}

/** A copy: views of the heap end when it grows. */
const floats = (tensor: tf.Tensor): Float32Array => Float32Array.from(tensor.dataSync());

describe('mapAxis', () => {
  const variants = useVariants();

  it('adds the weighted inputs in order: the bits of the definition', () => {
    fc.assert(
      fc.property(problems, (problem) =>
        tf.tidy(() => {
          const x = inputOf(problem);
          const y = variants().one.mapAxis(x, problem.map, problem.transposed);
          expect(y.shape).toEqual([
            problem.outer,
            problem.transposed ? problem.map[0]?.length : problem.map.length,
            problem.inner,
          ]);
          // Negative zeros and zeros are equal here.
          expect([...floats(y)].map((value) => value + 0)).toEqual(
            [...reference(x, problem)].map((value) => value + 0),
          );
        }),
      ),
      { numRuns: 200 },
    );
  });

  it('agrees with a product of matrices, and yields the same bits on any number of threads', () => {
    const map = Array.from({ length: 32 }, (_, i) =>
      Array.from({ length: 8 }, (_, k) => Math.max(0, 1 - Math.abs((i * 7) / 31 - k))),
    );
    for (const [transposed, inner] of [
      [false, 64],
      [true, 64],
      [false, 37],
      [true, 512],
    ] as const)
      tf.tidy(() => {
        const x = inputOf({ map, transposed, outer: 16, inner, seed: 5 });
        const expected = floats(stockKernels.mapAxis(x, map, transposed));
        const { one, three, fusedOne, fusedThree } = variants();
        const first = floats(one.mapAxis(x, map, transposed));
        const fused = floats(fusedOne.mapAxis(x, map, transposed));
        expect(floats(three.mapAxis(x, map, transposed))).toEqual(first);
        expect(floats(fusedThree.mapAxis(x, map, transposed))).toEqual(fused);
        for (const actual of [first, fused])
          expect(Math.max(...actual.map((value, index) => Math.abs(value - (expected[index] ?? 0))))).toBeLessThan(
            2e-5,
          );
      });
  });

  it('ignores what has no weight, also NaN and infinity', () => {
    tf.tidy(() => {
      const x = tf.tensor3d([1, Number.NaN, 2, Number.POSITIVE_INFINITY], [1, 4, 1]);
      const map = [
        [1, 0, 0, 0],
        [0, 0, 3, 0],
        [0, 0, 0, 0],
      ];
      expect([...floats(variants().one.mapAxis(x, map, false))]).toEqual([1, 6, 0]);
    });
  });

  it('leaves neither tensors nor scratch memory behind', () => {
    const x = tf.ones<tf.Rank.R3>([8, 8, 64]);
    const map = Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, k) => (i === k ? 1 : 0)));
    const { three, heap } = variants();
    const [tensors, bytes] = [tf.memory().numTensors, heap.usedBytes()];
    three.mapAxis(x, map, false).dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(heap.usedBytes()).toBe(bytes);
    x.dispose();
  });
});
