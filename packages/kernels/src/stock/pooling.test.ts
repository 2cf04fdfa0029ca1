import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PoolingGeometry, Shape4 } from '../training-kernels.js';
import * as composed from './composed-pooling.js';
import * as loops from './pooling-loops.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const none = { top: 0, bottom: 0, left: 0, right: 0 };
const geometries: [Shape4, PoolingGeometry][] = [
  [[2, 6, 6, 3], { window: [2, 2], stride: [2, 2], padding: none }],
  [[2, 7, 5, 2], { window: [3, 3], stride: [2, 2], padding: { top: 1, bottom: 1, left: 1, right: 1 } }],
  [[1, 5, 8, 2], { window: [3, 2], stride: [1, 3], padding: { top: 0, bottom: 2, left: 1, right: 0 } }],
  [[1, 7, 7, 1], { window: [2, 3], stride: [4, 3], padding: { top: 0, bottom: -1, left: 0, right: 0 } }],
];

interface Pooled {
  readonly shape: Shape4;
  readonly largest: number[];
  readonly mean: number[];
  readonly maxGradient: number[];
  readonly meanGradient: number[];
}

/** PyTorch's loops (aten/src/ATen/native/cpu/MaxPoolKernel.cpp and AvgPoolKernel.cpp), rewritten. */
function pool(x: ArrayLike<number>, dy: (index: number) => number, shape: Shape4, geometry: PoolingGeometry): Pooled {
  const { window, stride, padding } = geometry;
  const [batch, height, width, channels] = shape;
  const outHeight = Math.floor((height + padding.top + padding.bottom - window[0]) / stride[0]) + 1;
  const outWidth = Math.floor((width + padding.left + padding.right - window[1]) / stride[1]) + 1;
  const largest: number[] = [];
  const mean: number[] = [];
  const maxGradient = Array.from(x, () => 0);
  const meanGradient = Array.from(x, () => 0);
  for (let n = 0; n < batch; n++)
    for (let row = 0; row < outHeight; row++)
      for (let column = 0; column < outWidth; column++)
        for (let c = 0; c < channels; c++) {
          const [top, left] = [row * stride[0] - padding.top, column * stride[1] - padding.left];
          const cells: number[] = [];
          for (let r = Math.max(0, top); r < Math.min(height, top + window[0]); r++)
            for (let q = Math.max(0, left); q < Math.min(width, left + window[1]); q++)
              cells.push(((n * height + r) * width + q) * channels + c);
          let best = Number.NEGATIVE_INFINITY;
          let taken = cells[0] as number;
          let sum = 0;
          for (const cell of cells) {
            const value = x[cell] as number;
            sum += value;
            if (value > best || Number.isNaN(value)) {
              best = value;
              taken = cell;
            }
          }
          const cotangent = dy(largest.length);
          largest.push(best);
          mean.push(sum / cells.length);
          maxGradient[taken] = (maxGradient[taken] as number) + cotangent;
          for (const cell of cells) meanGradient[cell] = (meanGradient[cell] as number) + cotangent / cells.length;
        }
  return { shape: [batch, outHeight, outWidth, channels], largest, mean, maxGradient, meanGradient };
}

const fills: Record<string, (index: number) => number> = {
  'numbers of both signs': (index) => Math.sin(3 * index + 1),
  'negative numbers': (index) => -1 - Math.abs(Math.sin(3 * index + 1)),
  zeros: () => 0,
  ties: (index) => (index * index) % 3,
  'negative infinities': () => Number.NEGATIVE_INFINITY,
  'NaN and infinities': (index) =>
    [0.5, Number.NaN, -2, Number.POSITIVE_INFINITY, 1, Number.NaN, 3][index % 7] as number,
};

function expectValues(found: tf.Tensor, wanted: readonly number[]): void {
  [...found.dataSync()].forEach((value, index) => {
    const expected = wanted[index] as number;
    if (Number.isFinite(expected)) expect(value).toBeCloseTo(expected, 5);
    else expect(value).toBe(expected);
  });
}

describe.each(Object.entries(fills))('pooling of %s', (_, fill) => {
  const rows = geometries.flatMap(([shape, geometry]) => [
    ['composed', composed, shape, geometry] as const,
    ['in loops', loops, shape, geometry] as const,
  ]);
  it.each(rows)('matches PyTorch, %s', (_how, kernels, shape, geometry) => {
    const x = tf.tensor4d(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_value, index) => fill(index)),
      [...shape],
    );
    const cotangent = (index: number) => Math.cos(5 * index);
    const wanted = pool(x.dataSync(), cotangent, shape, geometry);
    const dy = tf.tensor4d(
      wanted.largest.map((_value, index) => cotangent(index)),
      [...wanted.shape],
    );
    const before = tf.memory().numTensors;
    const results = [
      kernels.maxPool(x, geometry),
      kernels.averagePool(x, geometry),
      kernels.maxPoolGradient(dy, x, geometry),
      kernels.averagePoolGradient(dy, shape, geometry),
    ];
    expect(tf.memory().numTensors).toBe(before + 4);
    expect(results.map((result) => result.shape)).toEqual([wanted.shape, wanted.shape, shape, shape]);
    [wanted.largest, wanted.mean, wanted.maxGradient, wanted.meanGradient].forEach((values, index) => {
      expectValues(results[index] as tf.Tensor, values);
    });
    tf.dispose([x, dy, ...results]);
  });
});
