import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { type Registration, registerTrainingGradients } from './register.js';

const length = fc.constantFrom(0, 1, 2, 3, 5, 9);
/** A batch's axes, and which of them each operand has only once, or not at all from the first on. */
const problems = fc.record({
  batch: fc.array(fc.record({ length, inA: fc.boolean(), inB: fc.boolean() }), { maxLength: 4 }),
  lackedByB: fc.nat(4),
  rows: length,
  inner: length,
  columns: length,
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  special: fc.constantFrom(1, 0, -0, Number.NaN, Number.POSITIVE_INFINITY),
});

type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never;

function operand(shape: number[], phase: number, special: number): tf.Tensor {
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, index) =>
    Math.sin(1.7 * index + phase),
  );
  if (values.length > 0) values[values.length >> 1] = special;
  return tf.tensor(values, shape);
}

function operands({ batch, lackedByB, rows, inner, columns, transposeA, transposeB, special }: Problem) {
  const axes = (name: 'inA' | 'inB') => batch.map((axis) => (axis[name] ? axis.length : 1));
  return {
    a: operand([...axes('inA'), ...(transposeA ? [inner, rows] : [rows, inner])], 1, special),
    b: operand([...axes('inB').slice(lackedByB), ...(transposeB ? [columns, inner] : [inner, columns])], 2, 1),
  };
}

/** By elementwise products of broadcast operands, whose sums the cpu backend computes in float64. */
function definition(
  a: tf.Tensor,
  b: tf.Tensor,
  { transposeA, transposeB }: Problem,
): { shape: number[]; values: number[] } {
  const [rows = 0, inner = 0] = transposeA ? a.shape.slice(-2).reverse() : a.shape.slice(-2);
  const columns = b.shape.at(transposeB ? -2 : -1) as number;
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const spread = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]).dataSync();
  const [left, right] = [spread(a), spread(b)];
  const values: number[] = [];
  for (let matrix = 0; matrix < tf.util.sizeFromShape(batch); matrix++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          const x = left[matrix * rows * inner + (transposeA ? k * rows + i : i * inner + k)] as number;
          sum += x * (right[matrix * inner * columns + (transposeB ? j * inner + k : k * columns + j)] as number);
        }
        values.push(sum);
      }
  return { shape: [...batch, rows, columns], values };
}

describe.each(['training kernels', 'stock operations'])('tf.matMul by %s', (kind) => {
  let runtime: WasmRuntime;
  let registration: Registration | undefined;
  beforeAll(async () => {
    runtime = await startWasm({ threads: 1 });
    if (kind === 'stock operations') registration = registerTrainingGradients();
  });
  afterAll(() => {
    registration?.unregister();
    runtime.dispose();
  });
  const memory = () => [tf.memory().numTensors, runtime.heap.usedBytes()];

  it('equals its definition for any shapes that can be broadcast, also of nothing, and leaves no memory', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const before = memory();
        tf.tidy(() => {
          const { a, b } = operands(problem);
          const { shape, values } = definition(a, b, problem);
          const product = tf.matMul(a, b, problem.transposeA, problem.transposeB);
          expect(product.shape).toEqual(shape);
          const found = [...product.dataSync()];
          expect(found.length).toBe(values.length);
          found.forEach((value, at) => {
            const wanted = values[at] as number;
            if (Number.isFinite(wanted)) expect(value).toBeCloseTo(wanted, 4);
            else expect(value).toBe(wanted);
          });
        });
        expect(memory()).toEqual(before);
      }),
      { numRuns: 150 },
    );
  });

  it('rejects operands that do not match, and leaves no memory', () => {
    const before = memory();
    for (const [a, b] of [
      [
        [2, 3],
        [4, 5],
      ],
      [
        [7, 2, 3],
        [7, 2, 5],
      ],
      [
        [2, 3, 4, 5],
        [3, 2, 5, 4],
      ],
    ] as const) {
      expect(() => tf.tidy(() => tf.matMul(tf.ones([...a]), tf.ones([...b])))).toThrow(
        /must match|could not be broadcast/,
      );
    }
    const integers = () => tf.ones([2, 2], 'int32');
    expect(() => tf.tidy(() => tf.matMul(integers(), integers()))).toThrow(
      'The matrix product on wasm requires float32, but received int32. Cast the tensor first.',
    );
    expect(memory()).toEqual(before);
  });

  it('fused with nothing to add up is the activated bias', () => {
    const found = tf.tidy(() => {
      const [a, b] = [tf.zeros([2, 0]) as tf.Tensor2D, tf.zeros([0, 3]) as tf.Tensor2D];
      const products = [
        tf.fused.matMul({ a, b }),
        tf.fused.matMul({ a, b, bias: tf.tensor1d([-1, 0, 7]), activation: 'relu6' }),
      ];
      return products.map((product) => [...product.dataSync()]);
    });
    expect(found).toEqual([new Array(6).fill(0), [0, 0, 6, 0, 0, 6]]);
  });

  it('fused propagates NaN through its activation', () => {
    for (const activation of ['relu', 'relu6', 'elu', 'leakyrelu', 'sigmoid', 'linear'] as const) {
      for (const bias of [undefined, 0]) {
        const found = tf.tidy(() => {
          const [a, b] = [tf.tensor2d([Number.NaN, 1], [2, 1]), tf.ones([1, 1]) as tf.Tensor2D];
          const product = tf.fused.matMul({
            a,
            b,
            activation,
            ...(bias === undefined ? {} : { bias: tf.tensor1d([bias]) }),
          });
          return [...product.dataSync()].map(Number.isNaN);
        });
        expect(found).toEqual([true, false]);
      }
    }
  });
});
