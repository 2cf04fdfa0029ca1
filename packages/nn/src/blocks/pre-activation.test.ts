import { LocalgradError, type Shape3, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, type ReferenceFunction } from '../testing/check-block.js';
import { referenceBatchNorm, referenceConvolution, taker } from '../testing/reference-ops.js';
import { leakyRelu } from './activations.js';
import { normReluConvolution } from './norm-relu-convolution.js';
import { bottleneck } from './residual-blocks.js';
import { sequential } from './sequential.js';
import { concatenation, residual } from './shortcut.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [6, 5, 4];
const unit = (channels: number, stride = 1, inputShape = shape, name = 'u') =>
  normReluConvolution({ name, scope: createScope(2).scope(name), inputShape, channels, stride });
const bottleneckUnits = (channels: number) => sequential('body', [unit(3), unit(channels, 1, [6, 5, 3], 'v')]);

function referenceUnit(x: tf.Tensor4D, values: readonly tf.Tensor[], stride = 1): tf.Tensor4D {
  const take = taker(values);
  const normalized = tf.relu(referenceBatchNorm(x, take(), take()));
  return referenceConvolution(normalized, take(), stride, 1);
}

const cases: [string, () => ReturnType<typeof unit>, ReferenceFunction][] = [
  ['normReluConvolution', () => unit(3), (x, values) => referenceUnit(x, values)],
  ['normReluConvolution with stride 2', () => unit(5, 2), (x, values) => referenceUnit(x, values, 2)],
  [
    'residual',
    () => residual('r', bottleneckUnits(4)),
    (x, values) => tf.add(x, referenceUnit(referenceUnit(x, values.slice(0, 3)), values.slice(3))),
  ],
  [
    'concatenation',
    () => concatenation('c', bottleneckUnits(2)),
    (x, values) => tf.concat([x, referenceUnit(referenceUnit(x, values.slice(0, 3)), values.slice(3))], 3),
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

it('residual keeps the output of a body whose VJP reads it', () => {
  checkBlock(residual('r', leakyRelu('leaky', shape, 0.1)), (x) => tf.add<tf.Tensor4D>(x, tf.leakyRelu(x, 0.1)));
});

describe('bottleneck with groups', () => {
  const grouped = (stride: number, channels: number) =>
    bottleneck({ name: 'b', scope: createScope(2), inputShape: [6, 5, 8], channels, stride, width: 6, groups: 3 });

  const referenceGroups = (x: tf.Tensor4D, filter: tf.Tensor, stride: number) => {
    const inputs = tf.split<tf.Tensor4D>(x, 3, 3);
    const filters = tf.split(filter, 3, 3);
    return tf.concat(
      inputs.map((input, group) => referenceConvolution(input, filters[group] ?? filter, stride, 1)),
      3,
    ) as tf.Tensor4D;
  };

  it.each([
    [1, 8],
    [2, 12],
  ])('has the gradients of the tape with stride %i and %i channels', (stride, channels) => {
    checkBlock(
      grouped(stride, channels),
      (x, values) => {
        const take = taker(values);
        const first = tf.relu(referenceBatchNorm(referenceConvolution(x, take(), 1, 0), take(), take()));
        const second = tf.relu(referenceBatchNorm(referenceGroups(first, take(), stride), take(), take()));
        const third = referenceBatchNorm(referenceConvolution(second, take(), 1, 0), take(), take());
        const shortcut =
          values.length > 9 ? referenceBatchNorm(referenceConvolution(x, take(), stride, 0), take(), take()) : x;
        return tf.relu(tf.add<tf.Tensor4D>(third, shortcut));
      },
      { seed: 2 },
    );
  });

  it('has a filter of [3, 3, inputs / groups, outputs], and predicts its bytes', () => {
    const block = grouped(2, 12);
    expect(block.parameters.find(({ name }) => name === 'conv2.weight')?.shape).toEqual([3, 3, 2, 6]);
    checkCost(block, 16, 0.05);
  });

  it('rejects groups that do not divide the width', () => {
    const options = { name: 'b', scope: createScope(1), inputShape: shape, channels: 8, width: 4, groups: 3 };
    expect(() => bottleneck(options)).toThrow(/divisors of the width, 4/);
  });
});

it('zeroInitialize starts a residual block as its shortcut', () => {
  const options = { name: 'b', scope: createScope(1), inputShape: shape, channels: 4, width: 2, zeroInitialize: true };
  const x = tf.relu(tf.randomNormal<tf.Rank.R4>([2, ...shape], 0, 1, 'float32', 1));
  const { output } = bottleneck(options).forward(x, trainingMode);
  expect(output.dataSync()).toEqual(x.dataSync());
});

describe('shapes', () => {
  it('residual requires a body that keeps the shape', () => {
    expect(() => residual('r', unit(3))).toThrow(/'u' outputs 6×5×3; expected 6×5×4/);
  });

  it('concatenation requires a body that keeps height and width', () => {
    expect(() => concatenation('c', unit(3, 2))).toThrow(LocalgradError);
    expect(concatenation('c', unit(3)).outputShape).toEqual([6, 5, 7]);
  });
});
