import { type Block, evaluationMode, recomputeMode, type Shape3, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { frozenScope } from '../random/frozen-scope.js';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, copy, type ReferenceFunction } from '../testing/check-block.js';
import { referenceBatchNorm, taker } from '../testing/reference-ops.js';
import { flatten, relu, sigmoid } from './activations.js';
import { batchNorm } from './batch-norm.js';
import { conv2d } from './conv2d.js';
import { dense } from './dense.js';
import { globalAveragePool } from './global-average-pool.js';
import { parallelSum } from './parallel-sum.js';
import { adaptiveAveragePool, averagePool, bilinearUpsample, maxPool } from './pooling.js';
import { basicBlock, convBatchNormRelu } from './residual-blocks.js';
import { sequential } from './sequential.js';
import { withStatisticsUpdates } from './statistics-updates.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const maps: Shape3 = [6, 4, 3];
const vector: Shape3 = [1, 1, 5];
const scope = () => createScope(7);
const rows = (x: tf.Tensor4D) => tf.reshape(x, [x.shape[0], -1]) as tf.Tensor2D;
const maps4 = (x: tf.Tensor) => tf.reshape(x, [x.shape[0] as number, 1, 1, -1]) as tf.Tensor4D;

const cases: [string, () => Block, ReferenceFunction][] = [
  ['relu', () => relu('r', maps), (x) => tf.relu(x)],
  ['sigmoid', () => sigmoid('s', maps), (x) => tf.sigmoid(x)],
  ['flatten', () => flatten('f', maps), (x) => maps4(rows(x))],
  ['global average pool', () => globalAveragePool('p', maps), (x) => tf.mean(x, [1, 2], true)],
  ['average pool, tiling', () => averagePool('p', maps, 2), (x) => tf.avgPool(x, 2, 2, 'valid')],
  ['average pool, with a remainder', () => averagePool('p', [7, 5, 3], 2), (x) => tf.avgPool(x, 2, 2, 'valid')],
  ['adaptive pool, tiling', () => adaptiveAveragePool('p', maps, [3, 2]), (x) => tf.avgPool(x, 2, 2, 'valid')],
  ['max pool', () => maxPool({ name: 'p', inputShape: maps }), (x) => tf.maxPool(x, 3, 2, 1)],
  [
    'bilinear upsample',
    () => bilinearUpsample('u', [5, 5, 3], [11, 8]),
    (x) => tf.image.resizeBilinear(x, [11, 8], true),
  ],
  [
    'dense',
    () => dense({ name: 'd', scope: scope(), inputShape: vector, units: 4 }),
    (x, [weight, bias]) => maps4(tf.add(tf.matMul(rows(x), weight as tf.Tensor2D), bias as tf.Tensor)),
  ],
  [
    'dense without bias',
    () => dense({ name: 'd', scope: scope(), inputShape: vector, units: 4, bias: false }),
    (x, [weight]) => maps4(tf.matMul(rows(x), weight as tf.Tensor2D)),
  ],
  [
    'conv2d',
    () => conv2d({ name: 'c', scope: scope(), inputShape: maps, channels: 2, stride: 2 }),
    (x, [weight, bias]) => tf.add(tf.conv2d(x, weight as tf.Tensor4D, 2, 1), bias as tf.Tensor),
  ],
  [
    'batch norm',
    () => batchNorm({ name: 'b', scope: scope(), inputShape: maps }),
    (x, [scale, shift]) => referenceBatchNorm(x, scale as tf.Tensor, shift as tf.Tensor),
  ],
  [
    'sequential',
    () => {
      const inner = scope();
      const stem = convBatchNormRelu({ name: 's', scope: inner.scope('stem'), inputShape: maps, channels: 4 });
      const block = basicBlock({ name: 'b', scope: inner.scope('0'), inputShape: stem.outputShape, channels: 4 });
      const end = dense({ name: 'd', scope: inner.scope('fc'), inputShape: [1, 1, 4], units: 3 });
      return sequential('net', [stem, block, globalAveragePool('p', block.outputShape), end]);
    },
    (x, values) => {
      const take = taker(values);
      const unit = (input: tf.Tensor4D) =>
        referenceBatchNorm(tf.conv2d(input, take() as tf.Tensor4D, 1, 1), take(), take());
      const stem = tf.relu(unit(x));
      const block = tf.relu(tf.add<tf.Tensor4D>(unit(tf.relu(unit(stem))), stem));
      return maps4(tf.add(tf.matMul(rows(tf.mean(block, [1, 2], true)), take() as tf.Tensor2D), take()));
    },
  ],
  ...[1, 2].map((stride): [string, () => Block, ReferenceFunction] => [
    `sum of two residual blocks, stride ${stride}`,
    () => {
      const inner = scope();
      const options = { name: 'b', inputShape: [6, 4, 3] as Shape3, channels: stride === 1 ? 3 : 5, stride };
      const [first, second] = ['0', '1'].map((name) => basicBlock({ ...options, scope: inner.scope(name) }));
      return parallelSum('sum', first as Block, second as Block);
    },
    (x, values) => {
      const take = taker(values);
      const unit = (input: tf.Tensor4D, step: number, pad: number) =>
        referenceBatchNorm(tf.conv2d(input, take() as tf.Tensor4D, step, pad), take(), take());
      const block = () => {
        const main = unit(tf.relu(unit(x, stride, 1)), 1, 1);
        return tf.relu(tf.add<tf.Tensor4D>(main, stride === 1 ? x : unit(x, stride, 0)));
      };
      return tf.add<tf.Tensor4D>(block(), block());
    },
  ]),
];

describe.each(cases)('%s', (name, create, reference) => {
  it('matches the gradients of the tape', () => {
    checkBlock(create(), reference, { batch: 4 });
  });

  // The cost of a sum is an upper bound if no input gradient is requested; heads, which always request one, are checked
  // exactly.
  if (name.startsWith('sum')) return;
  it('predicts its bytes', () => {
    checkCost(create(), name === 'batch norm' || name === 'sequential' ? 64 : 8, 0.05);
  });
});

describe('values from PyTorch', () => {
  const ramp = (shape: Shape3) =>
    tf.tensor4d(
      Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => i),
      [1, ...shape],
    );
  const apply = (block: Block, x: tf.Tensor4D) => [...block.forward(x, trainingMode).output.dataSync()];

  it('adaptive pooling covers uneven bins', () => {
    // AdaptiveAvgPool2d((3, 1)) of a column 0…4: bins 0–1, 1–3, 3–4.
    expect(apply(adaptiveAveragePool('p', [5, 1, 1], [3, 1]), ramp([5, 1, 1]))).toEqual([0.5, 2, 3.5]);
  });

  it('adaptive pooling repeats a single pixel', () => {
    expect(apply(adaptiveAveragePool('p', [1, 1, 1], [2, 2]), tf.fill([1, 1, 1, 1], 3))).toEqual([3, 3, 3, 3]);
  });

  it('max pooling pads with minus infinity', () => {
    const x = tf.fill([1, 4, 4, 1], -2) as tf.Tensor4D;
    expect(apply(maxPool({ name: 'p', inputShape: [4, 4, 1] }), x)).toEqual([-2, -2, -2, -2]);
  });

  it('upsampling preserves the corners', () => {
    const found = apply(bilinearUpsample('u', [2, 1, 1], [4, 1]), ramp([2, 1, 1]));
    [0, 1 / 3, 2 / 3, 1].forEach((value, index) => {
      expect(found[index]).toBeCloseTo(value, 6);
    });
  });

  it('a stride-2 convolution pads both sides', () => {
    const block = conv2d({ name: 'c', scope: scope(), inputShape: [4, 4, 1], channels: 1, stride: 2, bias: false });
    block.parameters[0]?.assign(tf.ones([3, 3, 1, 1]));
    expect(apply(block, tf.ones([1, 4, 4, 1]))).toEqual([4, 6, 6, 9]);
  });
});

describe('sequential', () => {
  it('rejects incompatible blocks and an empty list', () => {
    expect(() => sequential('net', [relu('a', maps), relu('b', vector)])).toThrow(
      /'a' outputs 6×4×3, but 'b' expects 1×1×5/,
    );
    expect(() => sequential('net', [])).toThrow(/no blocks/);
  });

  it('rejects a pass of another block', () => {
    const [a, b] = [relu('a', maps), relu('b', maps)];
    const x = tf.ones([1, ...maps]) as tf.Tensor4D;
    const pass = a.forward(x, trainingMode);
    expect(() => b.vjp(pass, copy(x), { input: true, parameters: true, release: true })).toThrow(/'b'/);
  });

  it('replicates all its blocks', () => {
    const block = dense({ name: 'd', scope: scope(), inputShape: vector, units: 4 });
    const twin = sequential('net', [relu('a', vector), block]).replicate(createScope(1));
    expect(twin.parameters.map((parameter) => parameter.name)).toEqual(['1.weight', '1.bias']);
  });
});

it('frozen parameters receive no gradient', () => {
  const root = scope();
  const frozen = {
    prefix: '',
    scope: () => frozen,
    parameter: ((name, shape, initializer, kind) =>
      root.parameter(`${root.all().size}.${name}`, shape, initializer, kind ?? 'frozen')) as typeof root.parameter,
  };
  const block = basicBlock({ name: 'b', scope: frozen, inputShape: maps, channels: 3 });
  const x = tf.randomNormal([2, ...maps], 0, 1, 'float32', 1) as tf.Tensor4D;
  const pass = block.forward(x, trainingMode);
  const before = tf.memory().numTensors;
  const { input, parameters } = block.vjp(pass, copy(pass.output), { input: true, parameters: true, release: false });
  expect(parameters.size).toBe(0);
  expect(input?.shape).toEqual(x.shape);
  expect(tf.memory().numTensors).toBe(before + 1);
});

describe('parallelSum', () => {
  it('rejects blocks whose shapes differ', () => {
    expect(() => parallelSum('sum', relu('a', maps), relu('b', vector))).toThrow(
      /inputShape of 'a' is 6×4×3, of 'b' 1×1×5/,
    );
  });

  it('propagates gradients through frozen weights without computing gradients for them', () => {
    const inner = scope();
    const options = { name: 'b', inputShape: maps, channels: 3 };
    const learnable = basicBlock({ ...options, scope: inner.scope('0') });
    const frozen = basicBlock({ ...options, scope: frozenScope(inner.scope('1')) });
    const x = tf.randomNormal([4, ...maps], 0, 1, 'float32', 1) as tf.Tensor4D;
    const dy = tf.randomNormal([4, ...maps], 0, 1, 'float32', 2) as tf.Tensor4D;
    const vjp = (block: Block) =>
      block.vjp(block.forward(x, trainingMode), copy(dy), { input: true, parameters: true, release: true });
    const { input, parameters } = vjp(parallelSum('sum', learnable, frozen));
    expect([...parameters.keys()]).toEqual(expect.arrayContaining([...learnable.parameters]));
    expect(parameters.size).toBe(learnable.parameters.length);
    const apart = [learnable, frozen].map((block) => vjp(block).input as tf.Tensor4D);
    const difference = tf.max(tf.abs(tf.sub(input as tf.Tensor, tf.addN(apart)))).dataSync()[0];
    expect(difference).toBeLessThan(1e-5);
  });
});

describe('withStatisticsUpdates', () => {
  // docs/methods/engine.md §6: after one batch with mean s from r = 0.
  it.each([
    [1, 0.1],
    [2, 0.19],
    [3, 0.271],
    [4, 0.3439],
  ])('%i updates give a batch the weight %f', (updates, share) => {
    const block = withStatisticsUpdates(batchNorm({ name: 'b', scope: scope(), inputShape: [1, 1, 1] }), updates);
    block.forward(tf.tensor4d([1, 2, 3, 6], [4, 1, 1, 1]), trainingMode).release();
    expect(block.statistics[0]?.value.dataSync()[0]).toBeCloseTo(3 * share, 5);
    block.forward(tf.tensor4d([1, 2, 3, 6], [4, 1, 1, 1]), recomputeMode).release();
    expect(block.statistics[0]?.value.dataSync()[0]).toBeCloseTo(3 * share, 5);
  });
});

describe('a batch of one value per channel', () => {
  const one = () => tf.ones<tf.Rank.R4>([1, 1, 1, 2]);

  it.each<[string, Block]>([
    ['batchNorm', batchNorm({ name: 'b', scope: scope(), inputShape: [1, 1, 2] })],
    ['Keras', batchNorm({ name: 'b', scope: scope(), inputShape: [1, 1, 2], runningVariance: 'biased' })],
    ['basicBlock', basicBlock({ name: 'b', scope: scope(), inputShape: [1, 1, 2], channels: 2 })],
  ])('cannot be trained, as in PyTorch: %s', (_, block) => {
    expect(() => block.forward(one(), trainingMode)).toThrow(
      /^Batch norm 'b?.*weight' cannot be trained on a batch of one image.*need at least two images/,
    );
    expect(block.forward(one(), evaluationMode).output.shape).toEqual([1, 1, 1, 2]);
  });
});
