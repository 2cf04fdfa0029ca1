import { at } from '@localgrad/core';
import type { TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { useVariants } from './variants.fixture.js';

const problems = fc.record({
  rows: fc.integer({ min: 1, max: 40 }),
  inner: fc.integer({ min: 1, max: 40 }),
  columns: fc.integer({ min: 1, max: 40 }),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  special: fc.constantFrom(undefined, 0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-42),
  seed: fc.integer({ min: 1, max: 1000 }),
});

type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never;

/** Matrices of mixed sign; `special`, if any, stands at one place of each. */
function matrices({ rows, inner, columns, transposeA, transposeB, special, seed }: Problem) {
  const matrix = (shape: [number, number], index: number) => {
    let state = seed + index;
    const values = Float32Array.from({ length: shape[0] * shape[1] }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state / 2 ** 32) * 2 - 1;
    });
    if (special !== undefined) values[(seed * 7919) % values.length] = special;
    return tf.tensor2d(values, shape);
  };
  return {
    a: matrix(transposeA ? [inner, rows] : [rows, inner], 0),
    b: matrix(transposeB ? [columns, inner] : [inner, columns], 1),
  };
}

/** The definition, in the order and precision of the kernel. */
function reference(a: tf.Tensor2D, b: tf.Tensor2D, { rows, inner, columns, transposeA, transposeB }: Problem) {
  const [left, right] = [floats(a), floats(b)];
  const result = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const x = at(left, transposeA ? k * rows + i : i * inner + k, 'element of a');
        const y = at(right, transposeB ? j * inner + k : k * columns + j, 'element of b');
        sum = Math.fround(sum + Math.fround(x * y));
      }
      result[i * columns + j] = sum;
    }
  return result;
}

/** A copy: views of the heap end when it grows. */
const floats = (tensor: tf.Tensor): Float32Array => Float32Array.from(tensor.dataSync());

/** Bit for bit, except that any NaN equals any other. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  expect(actual.findIndex((value, index) => !Object.is(value, expected[index]))).toBe(-1);
}

const odd = [1, 3, 5, 7, 9];
/** Sizes beyond each block of the kernel, with and without threads. */
const blocks = [
  { rows: 131, inner: 259, columns: 137 },
  { rows: 5, inner: 513, columns: 300 },
  { rows: 270, inner: 33, columns: 10 },
  { rows: 1, inner: 300, columns: 1030 },
];

describe('matMul', () => {
  const variants = useVariants();

  function check(problem: Problem): void {
    tf.tidy(() => {
      const { a, b } = matrices(problem);
      const expected = reference(a, b, problem);
      const { one, three } = variants();
      for (const kernels of [one, three]) {
        const product = kernels.matMul(a, b, problem.transposeA, problem.transposeB);
        expect(product.shape).toEqual([problem.rows, problem.columns]);
        expectSame(floats(product), expected);
      }
    });
  }

  it('adds the products in order: the bits of the definition, also for NaN, infinities, negative zero and subnormal numbers', () => {
    fc.assert(fc.property(problems, check), { numRuns: 200 });
  });

  it('multiplies matrices of 1, 3, 5, 7 and 9 rows, columns and inner elements', () => {
    for (const rows of odd)
      for (const inner of odd)
        for (const columns of odd)
          for (const transposeA of [false, true])
            for (const transposeB of [false, true])
              check({ rows, inner, columns, transposeA, transposeB, special: undefined, seed: rows + inner + columns });
  });

  it.each(blocks)('joins blocks without a change of the order: %j', (sizes) => {
    for (const transposeA of [false, true])
      for (const transposeB of [false, true]) check({ ...sizes, transposeA, transposeB, special: undefined, seed: 11 });
  });

  it.each(blocks)('yields the same bits on any number of threads with fused multiply-adds: %j', (sizes) => {
    for (const transposeA of [false, true])
      for (const transposeB of [false, true])
        tf.tidy(() => {
          const { a, b } = matrices({ ...sizes, transposeA, transposeB, special: undefined, seed: 3 });
          const multiply = (kernels: TrainingKernels) => floats(kernels.matMul(a, b, transposeA, transposeB));
          const { fusedOne, fusedThree } = variants();
          expectSame(multiply(fusedThree), multiply(fusedOne));
        });
  });

  it('leaves neither tensors nor scratch memory behind', () => {
    const { a, b } = matrices({
      rows: 130,
      inner: 70,
      columns: 90,
      transposeA: true,
      transposeB: true,
      special: undefined,
      seed: 5,
    });
    const { three, heap } = variants();
    const [tensors, bytes] = [tf.memory().numTensors, heap.usedBytes()];
    three.matMul(a, b, true, true).dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(heap.usedBytes()).toBe(bytes);
    tf.dispose([a, b]);
  });
});

describe('batchMatMul', () => {
  const variants = useVariants();
  const batches = [
    [[3], [3]],
    [
      [2, 9],
      [2, 9],
    ],
    [[], [17]],
    [[1], [40]],
    [[5], [1, 1]],
    [[1, 1], [5]],
  ];

  it.each(batches)('multiplies each matrix of a batch as matMul does, bit for bit: %j × %j', (left, right) => {
    fc.assert(
      fc.property(problems, (problem) => {
        tf.tidy(() => {
          const { transposeA, transposeB } = problem;
          const stack = (batch: readonly number[], side: 'a' | 'b') => {
            const count = tf.util.sizeFromShape([...batch]);
            const all = Array.from({ length: count }, (_, index) => {
              return matrices({ ...problem, seed: problem.seed + 31 * index })[side];
            });
            return { all, tensor: tf.reshape(tf.stack(all), [...batch, ...at(all, 0, 'matrix').shape]) };
          };
          const [a, b] = [stack(left, 'a'), stack(right, 'b')];
          const { one, three, fusedOne, fusedThree } = variants();
          const count = Math.max(a.all.length, b.all.length);
          const expectedOf = (kernels: TrainingKernels) =>
            Array.from({ length: count }, (_, index) => {
              const [x, y] = [at(a.all, index % a.all.length, 'a'), at(b.all, index % b.all.length, 'b')];
              return [...floats(kernels.matMul(x, y, transposeA, transposeB))];
            }).flat();
          for (const [own, reference] of [
            [one, one],
            [three, one],
            [fusedThree, fusedOne],
          ] as const) {
            const product = own.batchMatMul(a.tensor, b.tensor, transposeA, transposeB);
            expect(product.shape.slice(-2)).toEqual([problem.rows, problem.columns]);
            expect(product.size).toBe(count * problem.rows * problem.columns);
            expectSame(floats(product), Float32Array.from(expectedOf(reference)));
          }
        });
      }),
      { numRuns: 8 },
    );
  });

  it('leaves neither tensors nor scratch memory behind', () => {
    const [a, b] = [tf.randomNormal([20, 30, 8]), tf.randomNormal([20, 30, 8])];
    const { three, heap } = variants();
    b.dataSync();
    a.dataSync();
    three.batchMatMul(a, b, false, true).dispose();
    const [tensors, bytes] = [tf.memory().numTensors, heap.usedBytes()];
    three.batchMatMul(a, b, false, true).dispose();
    expect([tf.memory().numTensors, heap.usedBytes()]).toEqual([tensors, bytes]);
    tf.dispose([a, b]);
  });
});
