import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { type Registration, registerComposedFilterGradient, registerTrainingGradients } from './register.js';

function noise(shape: number[], seed: number): tf.Tensor {
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, index) =>
      Math.sin(seed + 1.7 * index + (index % 7)),
    ),
    shape,
  );
}

interface Variant {
  readonly stride: number;
  readonly pad: 'same' | 'valid' | number;
  readonly size: number;
  readonly kernel: number;
}

const variants: Variant[] = [
  { stride: 1, pad: 'same', size: 7, kernel: 3 },
  { stride: 2, pad: 'same', size: 8, kernel: 3 },
  { stride: 2, pad: 'same', size: 7, kernel: 3 },
  { stride: 1, pad: 'valid', size: 6, kernel: 3 },
  { stride: 2, pad: 'valid', size: 8, kernel: 2 },
  { stride: 2, pad: 1, size: 8, kernel: 3 },
  { stride: 1, pad: 'same', size: 5, kernel: 1 },
  { stride: 2, pad: 0, size: 6, kernel: 1 },
];

/** Convolution, depthwise convolution and an embedding, with all gradients; for every backend. */
function gradients({ stride, pad, size, kernel }: Variant): Float32Array[] {
  return tf.tidy(() => {
    const inputs = [
      noise([2, size, size, 3], 1),
      noise([kernel, kernel, 3, 5], 2),
      noise([3, 3, 5, 2], 3),
      noise([6, 10], 4),
    ] as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor2D];
    const rows = tf.tensor1d([1, 4, 1, 0], 'int32');
    const loss = (x: tf.Tensor, w: tf.Tensor, depthwise: tf.Tensor, table: tf.Tensor) => {
      const y = tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad);
      const z = tf.depthwiseConv2d(tf.tanh(y) as tf.Tensor4D, depthwise as tf.Tensor4D, 1, 'same');
      return tf.add(tf.sum(tf.square(z)), tf.sum(tf.square(tf.gather(table, rows)))) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(loss as never)(inputs as never);
    return [value, ...grads].map((tensor) => tensor.dataSync() as Float32Array);
  });
}

function expectClose(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  actual.forEach((values, index) => {
    const reference = expected[index] as Float32Array;
    const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    values.forEach((value, at) => {
      expect(Math.abs(value - (reference[at] as number))).toBeLessThanOrEqual(1e-5 * largest);
    });
  });
}

describe('tf.grads on wasm', () => {
  const expected: Float32Array[][] = [];
  let runtime: WasmRuntime;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    for (const variant of variants) expected.push(gradients(variant));
    runtime = await startWasm({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  it.each(variants.map((variant, index) => [variant, index] as const))(
    'equals the cpu backend: %j',
    (variant, index) => {
      const before = tf.memory().numTensors;
      expectClose(gradients(variant), expected[index] as Float32Array[]);
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('agrees with cpu without SIMD kernels too, composed from stock operations', () => {
    const registration = registerTrainingGradients();
    variants.forEach((variant, index) => {
      expectClose(gradients(variant), expected[index] as Float32Array[]);
    });
    registration.unregister();
  });

  describe.each([
    ['of values of both signs', (index: number) => Math.sin(3 * index + 1)],
    ['without a positive value', (index: number) => -1 - Math.abs(Math.sin(3 * index))],
    ['of ties', (index: number) => (index * index) % 3],
  ])('pooling %s', (_, fill) => {
    it.each([
      [2, 2, 'valid'],
      [3, 2, 'same'],
      [3, 2, 1],
      [3, 1, 'same'],
    ] as const)(
      'has the gradient of the first maximum: window %i, stride %i, padding %s',
      async (size, stride, pad) => {
        const x = () =>
          tf.tensor4d(
            Float32Array.from({ length: 2 * 7 * 6 * 5 }, (_value, index) => fill(index)),
            [2, 7, 6, 5],
          );
        const run = () => {
          const apply = (input: tf.Tensor) => tf.maxPool(input as tf.Tensor4D, size, stride, pad);
          const input = x();
          const output = apply(input);
          return [output, tf.grad(apply)(input, noise(output.shape, 3))].map(
            (tensor) => tensor.dataSync() as Float32Array,
          );
        };
        const found = tf.tidy(run);
        await tf.setBackend('cpu');
        const wanted = tf.tidy(run);
        await tf.setBackend('wasm');
        expectClose(found, wanted);
      },
    );

    // Not compared with the cpu backend, whose gradient divides by the whole window at the borders, which is wrong.
    it.each([
      [2, 2, 'valid'],
      [3, 2, 'same'],
      [3, 1, 1],
    ] as const)(
      'has the adjoint as gradient of average pooling: window %i, stride %i, padding %s',
      (size, stride, pad) => {
        tf.tidy(() => {
          const apply = (input: tf.Tensor) => tf.avgPool(input as tf.Tensor4D, size, stride, pad);
          const input = noise([2, 7, 6, 5], 1);
          const output = apply(input);
          const dy = noise(output.shape, 3);
          const forward = tf.sum(tf.mul(output, dy)).dataSync()[0] as number;
          const backward = tf.sum(tf.mul(input, tf.grad(apply)(input, dy))).dataSync()[0] as number;
          expect(backward).toBeCloseTo(forward, 3);
        });
      },
    );
  });

  it('propagates NaN in pooling and extrema', () => {
    const values = tf.tidy(() => {
      const x = tf.tensor4d([1, Number.NaN, 2, 3], [1, 2, 2, 1]);
      const [a, b] = [tf.tensor1d([1, Number.NaN, 3]), tf.tensor1d([Number.NaN, 1, 2])];
      return [tf.maxPool(x, 2, 1, 'valid'), tf.avgPool(x, 2, 1, 'valid'), tf.maximum(a, b), tf.minimum(a, b)].map(
        (tensor) => [...tensor.dataSync()],
      );
    });
    const missing = Number.NaN;
    expect(values).toEqual([[missing], [missing], [missing, missing, 3], [missing, missing, 2]]);
  });

  it('restores the kernels that it replaced', () => {
    const before = tf.getKernel('Conv2DBackpropFilter', 'wasm');
    const registration: Registration = registerComposedFilterGradient();
    expect(tf.getKernel('Conv2DBackpropFilter', 'wasm')).not.toBe(before);
    registration.unregister();
    registration.unregister();
    expect(tf.getKernel('Conv2DBackpropFilter', 'wasm')).toBe(before);
  });

  it('keeps a kernel that replaced one of its own meanwhile', () => {
    const registration = registerComposedFilterGradient();
    const name = { kernelName: 'Conv2DBackpropFilter', backendName: 'wasm' };
    const before = tf.getKernel(name.kernelName, name.backendName);
    tf.unregisterKernel(name.kernelName, name.backendName);
    const later: tf.KernelConfig = { ...before, ...name };
    tf.registerKernel(later);
    registration.unregister();
    expect(tf.getKernel(name.kernelName, name.backendName)).toBe(later);
  });

  it('trains a small network with tf.train', () => {
    const x = noise([8, 6, 6, 2], 5) as tf.Tensor4D;
    const target = noise([8, 2], 6);
    const filter = tf.variable(tf.mul(noise([3, 3, 2, 4], 7), 0.3)) as tf.Variable<tf.Rank.R4>;
    const dense = tf.variable(tf.mul(noise([4, 2], 8), 0.3)) as tf.Variable<tf.Rank.R2>;
    const optimizer = tf.train.sgd(0.05);
    const loss = () =>
      tf.losses.meanSquaredError(
        target,
        tf.matMul(tf.mean(tf.relu(tf.conv2d(x, filter, 2, 'same')), [1, 2]) as tf.Tensor2D, dense),
      ) as tf.Scalar;
    const first = (optimizer.minimize(loss, true) as tf.Scalar).dataSync()[0] as number;
    const before = tf.memory().numTensors;
    let last = first;
    for (let step = 0; step < 30; step++) {
      const value = optimizer.minimize(loss, true) as tf.Scalar;
      last = value.dataSync()[0] as number;
      value.dispose();
    }
    expect(last).toBeLessThan(0.9 * first);
    expect(tf.memory().numTensors).toBe(before);
  });
});
