import { at } from '@localgrad/core';
import type { SgdUpdate, SgdUpdateRequest, Shape4, TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import type { WasmTrainingKernels } from './wasm-training-kernels.js';

let runtime: WasmRuntime;
let kernels: TrainingKernels;

beforeAll(async () => {
  runtime = await startWasm({ threads: 2 });
  kernels = runtime.kernels;
});
afterAll(() => runtime.dispose());

const convolutions = fc
  .record({
    batch: fc.integer({ min: 1, max: 37 }),
    height: fc.integer({ min: 1, max: 11 }),
    width: fc.integer({ min: 1, max: 11 }),
    inChannels: fc.integer({ min: 1, max: 18 }),
    outChannels: fc.integer({ min: 1, max: 18 }),
    kernelHeight: fc.integer({ min: 1, max: 5 }),
    kernelWidth: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.integer({ min: 0, max: 4 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .filter(
    ({ height, width, kernelHeight, kernelWidth, padding }) =>
      height + 2 * padding >= kernelHeight && width + 2 * padding >= kernelWidth,
  );

type Convolution = typeof convolutions extends fc.Arbitrary<infer T> ? T : never;

function shapes(c: Convolution): { x: Shape4; w: Shape4; y: Shape4 } {
  const out = (size: number, kernel: number) => Math.floor((size + 2 * c.padding - kernel) / c.stride) + 1;
  return {
    x: [c.batch, c.height, c.width, c.inChannels],
    w: [c.kernelHeight, c.kernelWidth, c.inChannels, c.outChannels],
    y: [c.batch, out(c.height, c.kernelHeight), out(c.width, c.kernelWidth), c.outChannels],
  };
}

const normal = (shape: Shape4, seed: number) => tf.randomNormal([...shape], 0, 1, 'float32', seed) as tf.Tensor4D;

/** ⟨a, b⟩ in float64, and the sum of the absolute values of its terms, to which its rounding error is proportional. */
function inner(a: tf.Tensor, b: tf.Tensor): { value: number; scale: number } {
  const [left, right] = [a.dataSync(), b.dataSync()];
  let value = 0;
  let scale = 0;
  for (let i = 0; i < left.length; i++) {
    const term = (left[i] as number) * (right[i] as number);
    value += term;
    scale += Math.abs(term);
  }
  return { value, scale };
}

/** Runs a body inside tf.tidy, and checks that it leaks neither tensors nor heap bytes. */
function withoutLeak(body: () => void): void {
  const [tensors, bytes] = [tf.memory().numTensors, runtime.heap.usedBytes()];
  tf.tidy(body);
  expect([tf.memory().numTensors, runtime.heap.usedBytes()]).toEqual([tensors, bytes]);
}

describe('laws of convolution', () => {
  it('⟨conv(x, w), dy⟩ = ⟨x, inputGradient(dy, w)⟩ = ⟨w, filterGradient(x, dy)⟩ for any shape', () => {
    fc.assert(
      fc.property(convolutions, (c) => {
        withoutLeak(() => {
          const shape = shapes(c);
          const [x, w, dy] = [normal(shape.x, c.seed), normal(shape.w, c.seed + 1), normal(shape.y, c.seed + 2)];
          const y = kernels.conv2d(x, w, c);
          expect(y.shape).toEqual(shape.y);
          const forward = inner(y, dy);
          const byInput = inner(x, kernels.conv2dInputGradient(dy, w, shape.x, c));
          const byFilter = inner(w, kernels.conv2dFilterGradient(x, dy, shape.w, c));
          const tolerance = 1e-5 * Math.max(forward.scale, byInput.scale, byFilter.scale);
          expect(Math.abs(byInput.value - forward.value)).toBeLessThanOrEqual(tolerance);
          expect(Math.abs(byFilter.value - forward.value)).toBeLessThanOrEqual(tolerance);
        });
      }),
      { numRuns: 150 },
    );
  });

  it('adds a tensor to the input gradient as an operation of its own does, bit for bit', () => {
    fc.assert(
      fc.property(convolutions, (c) => {
        withoutLeak(() => {
          const shape = shapes(c);
          const [w, dy, added] = [normal(shape.w, c.seed), normal(shape.y, c.seed + 1), normal(shape.x, c.seed + 2)];
          const before = added.dataSync();
          const gradient = kernels.conv2dInputGradient(dy, w, shape.x, c, added);
          const expected = kernels.accumulate(kernels.conv2dInputGradient(dy, w, shape.x, c), added);
          expect(gradient.dataSync()).toEqual(expected.dataSync());
          expect(added.dataSync()).toEqual(before);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('doubling an argument doubles the result, bit for bit', () => {
    fc.assert(
      fc.property(convolutions, (c) => {
        withoutLeak(() => {
          const shape = shapes(c);
          const [x, w, dy] = [normal(shape.x, c.seed), normal(shape.w, c.seed + 1), normal(shape.y, c.seed + 2)];
          const twice = tf.mul<tf.Tensor4D>(dy, 2);
          for (const gradient of [
            (d: tf.Tensor4D) => kernels.conv2dInputGradient(d, w, shape.x, c),
            (d: tf.Tensor4D) => kernels.conv2dFilterGradient(x, d, shape.w, c),
          ]) {
            expect(gradient(twice).dataSync()).toEqual(
              gradient(dy)
                .dataSync()
                .map((value) => 2 * value),
            );
          }
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe('agreement with the backend', () => {
  it('convolves as XNNPACK does, with one or several bands of rows', () => {
    const cases: [Shape4, Shape4, number, number][] = [
      [[2, 70, 66, 16], [3, 3, 16, 12], 1, 1],
      [[1, 64, 64, 40], [5, 5, 40, 9], 2, 2],
      [[1, 9, 300, 64], [7, 7, 64, 8], 2, 3],
    ];
    for (const [xShape, wShape, stride, padding] of cases) {
      withoutLeak(() => {
        const [x, w] = [normal(xShape, 1), normal(wShape, 2)];
        const difference = tf.sub(kernels.conv2d(x, w, { stride, padding }), tf.conv2d(x, w, stride, padding));
        expect(tf.max(tf.abs(difference)).dataSync()[0]).toBeLessThan(1e-3);
      });
    }
  });

  it('uses the new values of a filter that was changed in place', () => {
    const x = normal([1, 4, 4, 3], 1);
    const w = normal([3, 3, 3, 8], 2);
    const before = kernels.conv2d(x, w, { stride: 1, padding: 1 });
    new Float32Array(runtime.heap.memory.buffer, runtime.heap.pointer(w), w.size).fill(0);
    const after = kernels.conv2d(x, w, { stride: 1, padding: 1 });
    expect(before.dataSync().some((value) => value !== 0)).toBe(true);
    expect(after.dataSync().every((value) => value === 0)).toBe(true);
    tf.dispose([x, w, before, after]);
  });
});

describe('consumed arguments', () => {
  const make = () => normal([2, 3, 3, 4], 5);
  const update = (request: SgdUpdateRequest): SgdUpdate => at(kernels.sgdUpdateAll([request]), 0, 'update');

  it('are overwritten only if no other handle shares their buffer', () => {
    const [a, b] = [make(), make()];
    const kept = a.clone();
    const values = kept.dataSync().slice();
    const sum = kernels.accumulate(a, b);
    expect(kept.dataSync()).toEqual(values);
    expect(sum.dataSync()).toEqual(values.map((value) => Math.fround(2 * value)));
    expect(a.isDisposed).toBe(true);
    const again = kernels.accumulate(sum, b);
    expect(again).toBe(sum);
    tf.dispose([b, kept, again]);
  });

  it('of SGD are not overwritten if the gradient is shared: velocity and new value get new buffers', () => {
    const [value, gradient] = [make(), make()];
    const kept = gradient.clone();
    const values = kept.dataSync().slice();
    const settings = { learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0 };
    const first = update({ value, gradient, velocity: undefined, ...settings });
    expect(gradient.isDisposed).toBe(true);
    const { velocity } = first;
    if (velocity === undefined) throw new Error('no velocity');
    expect(runtime.heap.pointer(velocity)).not.toBe(runtime.heap.pointer(kept));
    expect(first.value.dataId).not.toBe(value.dataId);
    const held = velocity.clone();
    const second = update({ value, gradient: make(), velocity, ...settings });
    expect(held.dataSync()).toEqual(values);
    expect(kept.dataSync()).toEqual(values);
    expect(value.dataSync()).toEqual(values);
    tf.dispose([value, kept, first.value, held, ...Object.values(second)]);
  });

  it.each([undefined, 'velocity'])(
    'of SGD without momentum take the new value, and no velocity remains (given: %s)',
    (given) => {
      const [value, gradient] = [make(), make()];
      const velocity = given === undefined ? undefined : make();
      const consumed = [gradient, ...(velocity === undefined ? [] : [velocity])];
      const settings = { learningRate: 0.5, momentum: 0, nesterov: false, weightDecay: 0.25 };
      const expected = value.dataSync().map((number) => number - 0.5 * Math.fround(1.25 * number));
      const { value: next, ...rest } = update({ value, gradient, velocity, ...settings });
      expect(rest).toEqual({ velocity: undefined });
      expect(consumed.filter(({ isDisposed }) => !isDisposed)).toEqual([next]);
      expect(next.dataSync()).toEqual(expected);
      tf.dispose([value, next]);
    },
  );
});

describe('the number of threads', () => {
  it.each([true, false])(
    'does not change the results of any kernel, bit for bit; relaxed SIMD: %s',
    async (relaxedSimd) => {
      const [more, other] = [await startWasmKernels(2, relaxedSimd), await startWasmKernels(1, relaxedSimd)];
      const compare = (run: (k: TrainingKernels) => tf.Tensor[]) => {
        withoutLeak(() => {
          const [two, one] = [run(more), run(other)].map((tensors) =>
            tensors.map((tensor) => Buffer.from(tensor.dataSync().slice().buffer)),
          );
          expect(two?.length).toBe(one?.length);
          expect(two?.map((bytes, index) => bytes.equals(one?.[index] as Buffer))).not.toContain(false);
        });
      };
      for (const [batch, size, channels] of [
        [33, 9, 5],
        [64, 8, 16],
        [70, 16, 12],
      ] as const) {
        const shape: Shape4 = [batch, size, size, channels];
        const geometry = { stride: 1, padding: 1 };
        compare((k) => [k.conv2d(normal(shape, 1), normal([3, 3, channels, 8], 2), geometry)]);
        compare((k) => [
          k.conv2dFilterGradient(normal(shape, 1), normal(shape, 2), [3, 3, channels, channels], geometry),
        ]);
        const strided: Shape4 = [batch, Math.ceil(size / 2), Math.ceil(size / 2), 8];
        compare((k) => [
          k.conv2dInputGradient(normal(strided, 1), normal([3, 3, channels, 8], 2), shape, { stride: 2, padding: 1 }),
        ]);
        compare((k) => {
          const x = normal(shape, 1);
          const { mean, variance } = k.batchStatistics(x);
          const normalization = {
            mean,
            variance,
            epsilon: 1e-5,
            scale: tf.ones([channels]),
            shift: tf.zeros([channels]),
          } as const;
          const y = k.batchNormApply(x, normalization as never, normal(shape, 2), true);
          const gradient = k.batchNormGradient({
            dy: normal(shape, 3),
            x,
            normalization: normalization as never,
            mask: y,
            overwriteInput: false,
            wantMasked: true,
          });
          return [mean, variance, y, gradient.dx, gradient.dScale, gradient.dShift, gradient.masked as tf.Tensor];
        });
      }
      compare((k) => [
        k.matMul(normal([1, 1, 70, 40], 1).reshape([70, 40]), normal([1, 1, 70, 12], 2).reshape([70, 12]), true, false),
      ]);
      more.dispose();
      other.dispose();
    },
  );
});

/** Further kernels on the same heap. */
async function startWasmKernels(threads: number, relaxedSimd: boolean): Promise<WasmTrainingKernels> {
  const { createWasmTrainingKernels } = await import('./index.js');
  return createWasmTrainingKernels(runtime.heap, { threads, relaxedSimd });
}
