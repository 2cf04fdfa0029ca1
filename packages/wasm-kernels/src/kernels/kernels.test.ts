import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-cpu';
import { at } from '@localgrad/core';
import { MemoryMeter, type Shape4, type TrainingKernels } from '@localgrad/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { closeTo, convolve, noise, referenceBatchNorm } from './kernels.fixture.js';

interface Case {
  readonly x: Shape4;
  readonly co: number;
  readonly k: number;
  readonly stride: number;
  readonly padding: number;
}

const cases: Case[] = [
  { x: [5, 8, 8, 3], co: 16, k: 3, stride: 1, padding: 1 },
  { x: [3, 8, 8, 16], co: 16, k: 3, stride: 1, padding: 1 },
  { x: [3, 9, 7, 4], co: 8, k: 3, stride: 2, padding: 1 },
  { x: [2, 8, 8, 16], co: 32, k: 3, stride: 2, padding: 1 },
  { x: [2, 8, 8, 8], co: 12, k: 1, stride: 2, padding: 0 },
  { x: [3, 5, 6, 5], co: 7, k: 3, stride: 1, padding: 1 },
  { x: [2, 11, 11, 3], co: 6, k: 7, stride: 2, padding: 3 },
  { x: [2, 7, 7, 9], co: 10, k: 1, stride: 1, padding: 0 },
  { x: [2, 10, 10, 2], co: 3, k: 5, stride: 3, padding: 2 },
  { x: [33, 4, 4, 4], co: 4, k: 3, stride: 1, padding: 1 },
  { x: [2, 5, 5, 8], co: 8, k: 3, stride: 1, padding: 0 },
];

describe.each([
  [1, true],
  [2, true],
  [2, false],
])('wasm training kernels, %i threads, relaxed SIMD: %s', (threads, relaxedSimd) => {
  let runtime: WasmRuntime;
  let kernels: TrainingKernels;

  beforeAll(async () => {
    runtime = await startWasm({ threads, relaxedSimd });
    kernels = runtime.kernels;
  });
  afterAll(() => runtime.dispose());

  it('runs with the requested number of threads and variant', () => {
    expect(runtime.facts.reason).toBeUndefined();
    expect(runtime.facts.threads).toBe(threads);
    expect(runtime.facts.relaxedSimd).toBe(relaxedSimd);
    expect(kernels.name).toBe('wasm-simd');
  });

  it.each(cases)(
    'convolves, with both gradients, as the float64 reference does: %j',
    ({ x: xShape, co, k, stride, padding }) => {
      const before = tf.memory().numTensors;
      const wShape: Shape4 = [k, k, xShape[3], co];
      const out = (size: number) => Math.floor((size + 2 * padding - k) / stride) + 1;
      const yShape: Shape4 = [xShape[0], out(xShape[1]), out(xShape[2]), co];
      const [xs, ws, ds] = [xShape, wShape, yShape].map((shape, index) =>
        noise(
          shape.reduce((a, b) => a * b, 1),
          index + 1,
        ),
      ) as [Float32Array, Float32Array, Float32Array];
      const y = new Float64Array(ds.length);
      const dx = new Float64Array(xs.length);
      const dw = new Float64Array(ws.length);
      convolve(
        (atX, atW, atY) => {
          y[atY] = (y[atY] as number) + (xs[atX] as number) * (ws[atW] as number);
          dx[atX] = (dx[atX] as number) + (ds[atY] as number) * (ws[atW] as number);
          dw[atW] = (dw[atW] as number) + (ds[atY] as number) * (xs[atX] as number);
        },
        xShape,
        wShape,
        yShape,
        stride,
        padding,
      );
      const geometry = { stride, padding };
      tf.tidy(() => {
        const x = tf.tensor4d(xs, [...xShape]);
        const w = tf.tensor4d(ws, [...wShape]);
        const dy = tf.tensor4d(ds, [...yShape]);
        closeTo(kernels.conv2d(x, w, geometry).dataSync(), y);
        closeTo(kernels.conv2dInputGradient(dy, w, xShape, geometry).dataSync(), dx);
        closeTo(kernels.conv2dFilterGradient(x, dy, wShape, geometry).dataSync(), dw);
      });
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it.each(cases)('creates no tensors but the results: %j', ({ x: xShape, co, k, stride, padding }) => {
    const wShape: Shape4 = [k, k, xShape[3], co];
    const geometry = { stride, padding };
    tf.tidy(() => {
      const [x, w] = [tf.ones<tf.Rank.R4>([...xShape]), tf.ones<tf.Rank.R4>([...wShape])];
      const dy = tf.onesLike(kernels.conv2d(x, w, geometry));
      for (const convolution of [
        () => kernels.conv2d(x, w, geometry),
        () => kernels.conv2dInputGradient(dy, w, xShape, geometry),
        () => kernels.conv2dFilterGradient(x, dy, wShape, geometry),
      ]) {
        const meter = new MemoryMeter();
        const { size } = convolution();
        meter.detach();
        expect(meter.peakBytes).toBe(4 * size);
      }
    });
  });

  it.each([1, 3, 4, 8, 10, 16, 30, 64])(
    'normalizes batches of %i channels, with each ReLU mask, as the float64 reference does',
    (channels) => {
      const shape: Shape4 = [3, 7, 9, channels];
      const rows = 3 * 7 * 9;
      const mean0 = 30; // far from 0 on purpose
      const xs = noise(rows * channels, 4).map((value) => value + mean0);
      const rs = noise(rows * channels, 5);
      const ds = noise(rows * channels, 6);
      const gs = noise(channels, 7);
      const bs = noise(channels, 8);
      const epsilon = 1e-5;
      for (const mode of ['none', 'recompute', 'output'] as const) {
        const before = tf.memory().numTensors;
        const used = runtime.heap.usedBytes();
        const expected = referenceBatchNorm(
          xs,
          mode === 'output' ? rs : undefined,
          ds,
          gs,
          bs,
          channels,
          epsilon,
          mode !== 'none',
        );
        tf.tidy(() => {
          const x = tf.tensor4d(xs, [...shape]);
          const { mean, variance } = kernels.batchStatistics(x);
          closeTo(mean.dataSync(), expected.mean, 1e-6);
          closeTo(variance.dataSync(), expected.variance, 1e-5);
          const normalization = { mean, variance, epsilon, scale: tf.tensor1d(gs), shift: tf.tensor1d(bs) };
          const residual = mode === 'output' ? tf.tensor4d(rs, [...shape]) : undefined;
          const y = kernels.batchNormApply(x, normalization, residual, mode !== 'none');
          closeTo(y.dataSync(), expected.y, 2e-5);
          const mask = mode === 'output' ? y : mode;
          const dy = tf.tensor4d(ds, [...shape]);
          const shared = dy.clone();
          const kept = kernels.batchNormGradient({
            dy,
            x,
            normalization,
            mask,
            overwriteInput: false,
            wantMasked: true,
          });
          closeTo(shared.dataSync(), ds, 0);
          closeTo(x.dataSync(), xs, 0);
          closeTo(kept.dx.dataSync(), expected.dx, 1e-4);
          closeTo(kept.dScale.dataSync(), expected.dScale, 1e-4);
          closeTo(kept.dShift.dataSync(), expected.dShift, 1e-5);
          closeTo(kept.masked?.dataSync() ?? [], expected.masked, 0);
          const own = tf.tensor4d(ds, [...shape]);
          const again = kernels.batchNormGradient({
            dy: own,
            x,
            normalization,
            mask,
            overwriteInput: true,
            wantMasked: true,
          });
          closeTo(again.dx.dataSync(), expected.dx, 1e-4);
          expect(x.isDisposed || again.dx === x).toBe(true);
        });
        expect(tf.memory().numTensors).toBe(before);
        expect(runtime.heap.usedBytes()).toBe(used);
      }
    },
  );

  it('clamps values, and propagates NaN of either sign', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const values = noise(1003, 1);
      values.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], 500);
      const x = tf.tensor1d(values);
      const differences = tf.add(tf.sub(x, x), x).dataSync();
      expect(tf.relu(tf.add(tf.sub(x, x), x)).dataSync()).toEqual(differences.map((value) => Math.max(value, 0)));
      const clipped = values.map((value) => Math.min(Math.max(value, -0.5), 0.25));
      expect(tf.clipByValue(x, -0.5, 0.25).dataSync()).toEqual(clipped);
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('computes sums, pooling, products, cross-entropy and SGD updates as the float64 reference does', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const [a, b] = [noise(1003, 1), noise(1003, 2)];
      closeTo(
        kernels.accumulate(tf.tensor1d(a), tf.tensor1d(b)).dataSync(),
        a.map((value, i) => value + (b[i] as number)),
        1e-7,
      );
      const x = tf.tensor4d(noise(2 * 3 * 5 * 6, 3), [2, 3, 5, 6]);
      closeTo(kernels.globalAveragePool(x).dataSync(), tf.mean(x, [1, 2]).dataSync());
      const pooled = tf.tensor2d(noise(12, 4), [2, 6]);
      const spread = kernels.globalAveragePoolGradient(pooled, [2, 3, 5, 6]).dataSync();
      for (let i = 0; i < spread.length; i++) {
        const expected = (pooled.dataSync()[Math.floor(i / 90) * 6 + (i % 6)] as number) / 15;
        expect(spread[i]).toBeCloseTo(expected, 6);
      }
      for (const [m, k, n] of [
        [3, 5, 4],
        [64, 33, 10],
        [7, 128, 128],
      ] as const) {
        for (const [transposeA, transposeB] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ] as const) {
          const a = tf.tensor2d(noise(m * k, 5), transposeA ? [k, m] : [m, k]);
          const b = tf.tensor2d(noise(k * n, 6), transposeB ? [n, k] : [k, n]);
          const product = kernels.matMul(a, b, transposeA, transposeB).dataSync();
          closeTo(product, tf.matMul(a, b, transposeA, transposeB).dataSync(), 1e-5);
        }
      }
      const logits = tf.tensor2d(noise(40, 7), [4, 10]);
      const labels = tf.tensor1d([1, 0, 9, 9], 'int32');
      const { loss, gradient } = kernels.softmaxCrossEntropy(logits, labels, 0.5);
      const probabilities = tf.softmax(logits);
      const oneHot = tf.oneHot(labels, 10);
      closeTo(loss.dataSync(), tf.neg(tf.mean(tf.log(tf.sum(tf.mul(probabilities, oneHot), 1)))).dataSync(), 1e-6);
      closeTo(gradient.dataSync(), tf.mul(0.5 / 4, tf.sub(probabilities, oneHot)).dataSync(), 1e-6);
    });
    const options = { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 };
    const value = tf.tensor1d(noise(103, 8));
    const p = Float64Array.from(noise(103, 8));
    const v = new Float64Array(103);
    let state: { value: tf.Tensor; velocity: tf.Tensor | undefined } = { value, velocity: undefined };
    for (let step = 0; step < 3; step++) {
      const gradient = noise(103, 20 + step);
      const old = state.value;
      const request = { value: old, gradient: tf.tensor1d(gradient), velocity: state.velocity, ...options };
      state = at(kernels.sgdUpdateAll([request]), 0, 'update');
      old.dispose();
      for (let i = 0; i < 103; i++) {
        const g = (gradient[i] as number) + 0.01 * (p[i] as number);
        v[i] = step === 0 ? g : 0.9 * (v[i] as number) + g;
        p[i] = (p[i] as number) - 0.1 * (g + 0.9 * (v[i] as number));
      }
    }
    closeTo(state.value.dataSync(), p, 1e-6);
    state.value.dispose();
    state.velocity?.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
