import type { Shape3 } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, it } from 'vitest';
import { createScope } from '../random/scope.js';
import { checkBlock } from '../testing/check-block.js';
import { conv2d } from './conv2d.js';
import { depthwiseConv2d } from './depthwise-conv2d.js';
import { maxPool } from './pooling.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Pair = readonly [number, number];

const pair = (most: number, least = 1) =>
  fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }));
const runs = { numRuns: 4, seed: 5 };
const batch = 2;

/** Filters may be larger or smaller than their strides, and maps odd; padded maps contain the dilated filter. */
const windows = fc
  .record({ kernelSize: pair(3), stride: pair(4), dilation: pair(3), padding: pair(2, 0), more: pair(4, 0) })
  .map(({ more, ...window }) => {
    const extent = (axis: 0 | 1) => {
      const reach = (window.kernelSize[axis] - 1) * window.dilation[axis] + 1;
      return Math.max(1, reach - 2 * window.padding[axis]) + more[axis];
    };
    return { ...window, size: [extent(0), extent(1)] as const };
  });

interface Window {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padding: Pair;
}

/** A convolution as the sum over the taps of the filter, each of which multiplies a strided part of the padded map. */
function convolved(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  { kernelSize, stride, dilation, padding }: Window,
): tf.Tensor4D {
  const padded = tf.pad(x, [[0, 0], ...padding.map((zeros): [number, number] => [zeros, zeros]), [0, 0]]);
  const [, height = 0, width = 0, channels = 0] = padded.shape;
  const count = (extent: number, axis: 0 | 1) =>
    Math.floor((extent - (kernelSize[axis] - 1) * dilation[axis] - 1) / stride[axis]) + 1;
  const [rows, columns] = [count(height, 0), count(width, 1)];
  const taps = Array.from({ length: kernelSize[0] * kernelSize[1] }, (_, tap) => {
    const [row, column] = [Math.floor(tap / kernelSize[1]), tap % kernelSize[1]];
    const rowsOf = Array.from({ length: rows }, (__, index) => row * dilation[0] + index * stride[0]);
    const columnsOf = Array.from({ length: columns }, (__, index) => column * dilation[1] + index * stride[1]);
    const part = tf.gather(tf.gather(padded, tf.tensor1d(rowsOf, 'int32'), 1), tf.tensor1d(columnsOf, 'int32'), 2);
    const weights = tf.reshape(tf.slice(filter, [row, column, 0, 0], [1, 1, -1, -1]), [channels, -1]);
    return tf.reshape(tf.matMul(tf.reshape(part, [-1, channels]), weights), [x.shape[0], rows, columns, -1]);
  });
  return tf.addN(taps as tf.Tensor4D[]);
}

describe('blocks with random windows have the values and gradients of their definitions', () => {
  it('conv2d', () => {
    fc.assert(
      fc.property(windows, ({ size, ...window }) => {
        const inputShape: Shape3 = [...size, 2];
        const block = conv2d({ name: 'c', scope: createScope(2), inputShape, channels: 3, ...window });
        checkBlock(
          block,
          (x, [filter, bias]) => tf.add(convolved(x, filter as tf.Tensor4D, window), bias as tf.Tensor),
          { batch },
        );
      }),
      runs,
    );
  });

  it('depthwiseConv2d', () => {
    fc.assert(
      fc.property(windows, ({ size, ...window }) => {
        const inputShape: Shape3 = [...size, 2];
        const block = depthwiseConv2d({
          name: 'c',
          scope: createScope(2),
          inputShape,
          multiplier: 2,
          bias: false,
          ...window,
        });
        checkBlock(
          block,
          (x, [filter]) => {
            const [maps, filters] = [tf.split<tf.Tensor4D>(x, 2, 3), tf.split(filter as tf.Tensor4D, 2, 3)];
            return tf.concat(
              maps.map((map, channel) => convolved(map, filters[channel] as tf.Tensor4D, window)),
              3,
            );
          },
          { batch },
        );
      }),
      runs,
    );
  });

  it('maxPool', () => {
    const shapes = fc.record({
      size: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 5 }),
      more: pair(4, 0),
    });
    fc.assert(
      fc.property(shapes, fc.nat({ max: 2 }), ({ size, stride, more }, zeros) => {
        const padding = Math.min(zeros, size >> 1);
        const inputShape: Shape3 = [size + more[0], size + more[1], 2];
        checkBlock(
          maxPool({ name: 'p', inputShape, size, stride, padding }),
          (x) => {
            const padded = tf.pad(
              x,
              [
                [0, 0],
                [padding, padding],
                [padding, padding],
                [0, 0],
              ],
              -1e9,
            );
            const count = (extent = 0) => Math.floor((extent - size) / stride) + 1;
            const part = (row: number, column: number) =>
              tf.max(tf.slice(padded, [0, row * stride, column * stride, 0], [-1, size, size, -1]), [1, 2]);
            const rows = Array.from({ length: count(padded.shape[1]) }, (_, row) =>
              tf.stack(
                Array.from({ length: count(padded.shape[2]) }, (__, column) => part(row, column)),
                1,
              ),
            );
            return tf.stack(rows, 1) as tf.Tensor4D;
          },
          { batch },
        );
      }),
      runs,
    );
  });
});
