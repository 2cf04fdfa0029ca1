import { type Block, LocalgradError, type Shape3 } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, type ReferenceFunction } from '../testing/check-block.js';
import { referenceBatchNorm, referenceConvolution, taker } from '../testing/reference-ops.js';
import { parallelConcatenation } from './parallel-concatenation.js';
import { bilinearUpsample } from './pooling.js';
import { basicBlock, bottleneck, convBatchNormRelu } from './residual-blocks.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const inputShape: Shape3 = [7, 10, 4];
const dilated = (dilation: number, channels = 3, name = 'u') =>
  convBatchNormRelu({ name, scope: createScope(2).scope(name), inputShape, channels, dilation });

/** A dilated 3×3 convolution as a sum over its taps, which the tape differentiates. */
function referenceDilated(x: tf.Tensor4D, filter: tf.Tensor, dilation: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const padded = tf.pad(x, [
    [0, 0],
    [dilation, dilation],
    [dilation, dilation],
    [0, 0],
  ]);
  const outputs = filter.shape[3] ?? 0;
  const taps = [0, 1, 2].flatMap((row) =>
    [0, 1, 2].map((column) => {
      const part = tf.slice(padded, [0, row * dilation, column * dilation, 0], [batch, height, width, channels]);
      const tap = tf.reshape(tf.slice(filter, [row, column, 0, 0], [1, 1, channels, outputs]), [channels, outputs]);
      return tf.matMul(tf.reshape(part, [-1, channels]), tap);
    }),
  );
  return tf.reshape(tf.addN(taps), [batch, height, width, outputs]);
}

const referenceUnit = (x: tf.Tensor4D, take: () => tf.Tensor, dilation: number) =>
  tf.relu(referenceBatchNorm(referenceDilated(x, take(), dilation), take(), take()));

const cases: [string, () => Block, ReferenceFunction][] = [
  ...[2, 3].map((dilation): [string, () => Block, ReferenceFunction] => [
    `convBatchNormRelu with dilation ${dilation}`,
    () => dilated(dilation),
    (x, values) => referenceUnit(x, taker(values), dilation),
  ]),
  [
    'basicBlock with dilation 2',
    () => basicBlock({ name: 'b', scope: createScope(2), inputShape, channels: 4, dilation: 2 }),
    (x, values) => {
      const take = taker(values);
      const first = referenceUnit(x, take, 2);
      return tf.relu(tf.add<tf.Tensor4D>(referenceBatchNorm(referenceDilated(first, take(), 2), take(), take()), x));
    },
  ],
  [
    'bottleneck with dilation 2',
    () => bottleneck({ name: 'b', scope: createScope(2), inputShape, channels: 8, width: 3, dilation: 2 }),
    (x, values) => {
      const take = taker(values);
      const first = tf.relu(referenceBatchNorm(referenceConvolution(x, take(), 1, 0), take(), take()));
      const second = referenceUnit(first, take, 2);
      const third = referenceBatchNorm(referenceConvolution(second, take(), 1, 0), take(), take());
      return tf.relu(
        tf.add<tf.Tensor4D>(third, referenceBatchNorm(referenceConvolution(x, take(), 1, 0), take(), take())),
      );
    },
  ],
  [
    'parallelConcatenation',
    () => parallelConcatenation('p', [dilated(1, 2, 'a'), dilated(2, 3, 'b'), dilated(4, 1, 'c')]),
    (x, values) => {
      const take = taker(values);
      return tf.concat(
        [1, 2, 4].map((dilation) => referenceUnit(x, take, dilation)),
        3,
      );
    },
  ],
];

describe.each(cases)('%s', (_, create, reference) => {
  it('has the gradients of the tape', () => {
    checkBlock(create(), reference, { seed: 2 });
  });

  it('predicts its bytes', () => {
    checkCost(create(), 8, 0.05);
  });
});

it('dilation needs stride 1 and the padding that keeps the size', () => {
  const options = { name: 'u', scope: createScope(1), inputShape, channels: 4 };
  for (const create of [
    () => convBatchNormRelu({ ...options, dilation: 2, padding: 1 }),
    () => basicBlock({ ...options, dilation: 2, stride: 2 }),
    () => bottleneck({ ...options, dilation: 2, stride: 2 }),
  ]) {
    expect(create).toThrow(LocalgradError);
    expect(create).toThrow(/'dilation'.* 2.*1, since the convolution changes the size of the map/);
  }
  expect(() => convBatchNormRelu({ ...options, dilation: 0.5 })).toThrow(/'dilation'.*positive integers/);
});

it('parallelConcatenation rejects branches of other sizes', () => {
  const small = convBatchNormRelu({ name: 's', scope: createScope(1), inputShape, channels: 2, stride: 2 });
  expect(() => parallelConcatenation('p', [dilated(1), small])).toThrow(/output of 's' is 4×5×2; expected 7×10×2/);
});

it('bilinearUpsample without aligned corners has the values of PyTorch', () => {
  // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [4., 9.]]]]), size=(3, 4), mode='bilinear', align_corners=False)
  const wanted = [0, 0.25, 0.75, 1, 2, 2.75, 4.25, 5, 4, 5.25, 7.75, 9];
  const block = bilinearUpsample('u', [2, 2, 1], [3, 4], { alignCorners: false });
  const { output } = block.forward(tf.tensor4d([0, 1, 4, 9], [1, 2, 2, 1]), { training: false } as never);
  expect([...output.dataSync()]).toEqual(wanted);
});
