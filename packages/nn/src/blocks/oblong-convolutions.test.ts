import type { Block, Shape3 } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, type ReferenceFunction } from '../testing/check-block.js';
import { conv2d } from './conv2d.js';
import type { ConvolutionWindowOptions } from './convolution-window.js';
import { depthwiseConv2d } from './depthwise-conv2d.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const inputShape: Shape3 = [7, 9, 3];
type Options = Omit<ConvolutionWindowOptions, 'inputShape'>;

const options: Options[] = [
  { kernelSize: [1, 3] },
  { kernelSize: [3, 1], stride: [2, 1] },
  { kernelSize: [1, 7], stride: 1 },
  { kernelSize: [2, 3], stride: [1, 3], padding: [0, 2] },
  { kernelSize: 3, stride: [2, 1], padding: 0 },
  { kernelSize: 3, dilation: 2 },
  { kernelSize: [3, 2], dilation: [1, 3], padding: [1, 2] },
  { kernelSize: 2, dilation: [3, 1], padding: 0 },
  { kernelSize: 3, dilation: [2, 1], stride: 2 },
];

const bothAxes = (value: Options['stride'] = 1): [number, number] =>
  typeof value === 'number' ? [value, value] : [value[0], value[1]];

/** The sum over the filter's taps of a product with the cells that it reads: the definition, differentiated by the tape. */
function convolution(x: tf.Tensor4D, weight: tf.Tensor4D, { stride, padding, dilation }: Options): tf.Tensor4D {
  const [rows, columns, inputs] = weight.shape;
  const [[down, right], [vertical, horizontal]] = [bothAxes(stride), bothAxes(dilation)];
  const reach = [(rows - 1) * vertical, (columns - 1) * horizontal] as const;
  const [top, left] = padding === undefined ? [reach[0] / 2, reach[1] / 2] : bothAxes(padding);
  const padded = tf.pad(x, [
    [0, 0],
    [top, top],
    [left, left],
    [0, 0],
  ]);
  const pick = (size: number, step: number, start: number, extent: number) =>
    tf
      .range(0, Math.floor((extent - size - 1) / step) + 1, 1, 'int32')
      .mul(tf.scalar(step, 'int32'))
      .add(tf.scalar(start, 'int32'));
  const products = Array.from({ length: rows * columns }, (_, tap) => {
    const [row, column] = [Math.floor(tap / columns), tap % columns];
    const atRows = tf.gather(padded, pick(reach[0], down, row * vertical, padded.shape[1]).toInt(), 1);
    const seen = tf.gather(atRows, pick(reach[1], right, column * horizontal, padded.shape[2]).toInt(), 2);
    const values = tf.slice(weight, [row, column, 0, 0], [1, 1, inputs, weight.shape[3]]);
    return tf.conv2d(seen as tf.Tensor4D, values, 1, 'valid');
  });
  return tf.addN(products);
}

/** The weight of a depthwise convolution as that of an ordinary one. */
function grouped(weight: tf.Tensor4D, channels: number): tf.Tensor4D {
  const [rows, columns, , outputs] = weight.shape;
  const belongs = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: outputs }, (_, one) => Math.floor((one * channels) / outputs)),
      'int32',
    ),
    channels,
  );
  return tf.mul(
    tf.reshape(weight, [rows, columns, 1, outputs]),
    tf.reshape(tf.transpose(belongs), [1, 1, channels, outputs]).toFloat(),
  );
}

const label = (one: Options) =>
  Object.entries(one)
    .map(([key, value]) => `${key} ${typeof value === 'number' ? value : value.join('×')}`)
    .join(', ');

const cases = options.flatMap((one): [string, () => Block, ReferenceFunction][] => [
  [
    `convolution, ${label(one)}`,
    () => conv2d({ name: 'c', scope: createScope(7), inputShape, channels: 4, ...one }),
    (x, [weight, bias]) => tf.add(convolution(x, weight as tf.Tensor4D, one), bias as tf.Tensor),
  ],
  [
    `depthwise convolution, ${label(one)}`,
    () => depthwiseConv2d({ name: 'd', scope: createScope(7), inputShape, multiplier: 2, ...one }),
    (x, [weight, bias]) =>
      tf.add(convolution(x, grouped(weight as tf.Tensor4D, inputShape[2]), one), bias as tf.Tensor),
  ],
]);

describe.each(cases)('%s', (_, create, reference) => {
  it('has the gradients of the tape', { timeout: 30_000 }, () => {
    checkBlock(create(), reference, { batch: 2 });
  });

  it('predicts its bytes', { timeout: 30_000 }, () => {
    checkCost(create(), 4, 0.05);
  });
});

describe('options of a convolution', () => {
  const create = (one: object) => () => conv2d({ name: 'c', scope: createScope(1), inputShape, channels: 2, ...one });

  it.each([
    [{ kernelSize: 2 }, /'?padding'?.*integers ≥ 0, or two for height and width/],
    [{ kernelSize: [3, 0] }, /kernelSize/],
    [{ stride: 1.5 }, /stride/],
    [{ stride: [1, 2, 3] }, /stride/],
    [{ dilation: 0 }, /dilation/],
    [{ padding: [-1, 0] }, /padding/],
  ])('rejects %j', (one, message) => {
    expect(create(one)).toThrow(message);
  });

  it('names the size of a dilated filter that does not fit', () => {
    expect(create({ dilation: [1, 5], padding: [0, 0] })).toThrow(
      /A 3×11 window with padding 0 does not fit in a feature map of 7×9×3/,
    );
  });
});
