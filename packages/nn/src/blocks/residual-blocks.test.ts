import { evaluationMode, type Shape3, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { costOf } from '../cost/cost-of.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, randomTensor, relativeError } from '../testing/check-block.js';
import { referenceBatchNorm, referenceConvolution, taker } from '../testing/reference-ops.js';
import { basicBlock, bottleneck, convBatchNormRelu } from './residual-blocks.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [6, 5, 4];

describe.each([true, false])('convBatchNormRelu, relu %s', (relu) => {
  it.each([
    [3, 1, 1],
    [3, 2, 1],
    [1, 1, 0],
    [1, 2, 0],
    [7, 2, 3],
  ])('kernel %i, stride %i, padding %i matches the gradients of the tape', (kernelSize, stride, padding) => {
    const block = convBatchNormRelu({
      name: 'stem',
      scope: createScope(1),
      inputShape: shape,
      channels: 3,
      kernelSize,
      stride,
      padding,
      relu,
    });
    checkBlock(block, (x, values) => {
      const [filter, scale, shift] = values as [tf.Tensor, tf.Tensor, tf.Tensor];
      const y = referenceBatchNorm(referenceConvolution(x, filter, stride, padding), scale, shift);
      return relu ? tf.relu(y) : y;
    });
  });
});

describe.each([
  ['identity', 1, 4],
  ['projection at stride 2', 2, 6],
  ['projection at stride 1', 1, 6],
])('residual blocks, %s', (_, stride, channels) => {
  it.each([true, false])('basicBlock, recompute %s', (recompute) => {
    const options = { name: 'b', scope: createScope(2), inputShape: shape, channels, stride, recompute };
    checkBlock(basicBlock(options), (x, values) => {
      const take = taker(values);
      const unit = (input: tf.Tensor4D, s: number, p: number) =>
        referenceBatchNorm(referenceConvolution(input, take(), s, p), take(), take());
      const main = unit(tf.relu(unit(x, stride, 1)), 1, 1);
      const shortcut = values.length > 6 ? unit(x, stride, 0) : x;
      return tf.relu(tf.add<tf.Tensor4D>(main, shortcut));
    });
  });

  it.each([true, false])('bottleneck, recompute %s', (recompute) => {
    const options = { name: 'b', scope: createScope(2), inputShape: shape, channels, stride, recompute, width: 3 };
    // With seed 1, a ReLU input is 2e-5 from its kink: too close for finite differences in float32.
    checkBlock(
      bottleneck(options),
      (x, values) => {
        const take = taker(values);
        const unit = (input: tf.Tensor4D, s: number, p: number) =>
          referenceBatchNorm(referenceConvolution(input, take(), s, p), take(), take());
        const main = unit(tf.relu(unit(tf.relu(unit(x, 1, 0)), stride, 1)), 1, 0);
        const shortcut = values.length > 9 ? unit(x, stride, 0) : x;
        return tf.relu(tf.add<tf.Tensor4D>(main, shortcut));
      },
      { seed: 2 },
    );
  });

  it.each([true, false])('predicts its bytes, recompute %s', (recompute) => {
    const inputShape: Shape3 = [8, 8, 8];
    const shared = { name: 'b', inputShape, channels: 2 * channels, stride, recompute };
    checkCost(basicBlock({ ...shared, scope: createScope(2) }));
    checkCost(bottleneck({ ...shared, scope: createScope(2), width: 4 }));
  });
});

it('a stem predicts its bytes', () => {
  checkCost(convBatchNormRelu({ name: 's', scope: createScope(1), inputShape: [16, 16, 3], channels: 8 }));
});

it('uses the parameter names of PyTorch', () => {
  const scope = createScope(1);
  const options = { name: 'b', scope: scope.scope('layer2').scope('0'), inputShape: shape, channels: 8, stride: 2 };
  const block = basicBlock(options);
  expect(block.parameters.map((parameter) => parameter.name.replace('layer2.0.', ''))).toEqual([
    'conv1.weight',
    'bn1.weight',
    'bn1.bias',
    'conv2.weight',
    'bn2.weight',
    'bn2.bias',
    'downsample.0.weight',
    'downsample.1.weight',
    'downsample.1.bias',
  ]);
  expect(block.statistics.map((parameter) => parameter.name)).toContain('layer2.0.downsample.1.running_var');
  expect(costOf(block).multiplyAccumulates).toBe(3 * 3 * (9 * 4 * 8 + 9 * 8 * 8 + 4 * 8));
});

it('replicates with fresh weights', () => {
  const block = basicBlock({ name: 'b', scope: createScope(1), inputShape: shape, channels: 4 });
  const twin = block.replicate(createScope(2).scope('twin'));
  expect(twin.outputShape).toEqual(block.outputShape);
  const [mine, its] = [block.parameters[0], twin.parameters[0]];
  expect(its?.name).toBe('twin.conv1.weight');
  expect(relativeError(its?.value as tf.Tensor, mine?.value as tf.Tensor)).toBeGreaterThan(0.1);
});

it('resizes to another geometry of the same kind', () => {
  const geometry = { name: 'aux', inputShape: [8, 8, 6] as Shape3, channels: 12, stride: 2 };
  const basic = basicBlock({ name: 'b', scope: createScope(1), inputShape: shape, channels: 4 });
  const smaller = basic.resize?.(createScope(2), geometry);
  expect([smaller?.name, smaller?.inputShape, smaller?.outputShape]).toEqual(['aux', [8, 8, 6], [4, 4, 12]]);
  const wide = bottleneck({ name: 'b', scope: createScope(1), inputShape: shape, channels: 4, width: 2 });
  const scope = createScope(2);
  expect(wide.resize?.(scope, geometry).outputShape).toEqual([4, 4, 12]);
  // The ratio of inner width to channels stays.
  expect(scope.all().get('conv2.weight')?.shape).toEqual([3, 3, 6, 6]);
});

describe('batch statistics', () => {
  it.each([0, 1, 2, 4])('update the running statistics %i times, with the unbiased variance', (updates) => {
    const block = convBatchNormRelu({ name: 's', scope: createScope(1), inputShape: shape, channels: 2 });
    const x = randomTensor([3, ...shape], createRandom(1)) as tf.Tensor4D;
    const pass = block.forward(x, { training: true, statisticsUpdates: updates });
    const z = tf.conv2d(x, block.parameters[0]?.value as tf.Tensor4D, 1, 1);
    const { mean, variance } = tf.moments(z, [0, 1, 2]);
    const count = z.size / 2;
    const share = [0, 0.1, 0.19, 0.271, 0.3439][updates] as number;
    const wantedMean = tf.mul(mean, share);
    const wantedVariance = tf.add(1 - share, tf.mul(variance, (share * count) / (count - 1)));
    const found = block.statistics.map((statistic) => [...statistic.value.dataSync()]);
    for (const [index, wanted] of [wantedMean, wantedVariance].entries()) {
      [...wanted.dataSync()].forEach((value, channel) => {
        expect(found[index]?.[channel]).toBeCloseTo(value, 6);
      });
    }
    pass.release();
  });

  it('are replaced by the running statistics in evaluation mode', () => {
    const block = convBatchNormRelu({ name: 's', scope: createScope(1), inputShape: shape, channels: 2, relu: false });
    const x = randomTensor([3, ...shape], createRandom(1)) as tf.Tensor4D;
    block.forward(x, trainingMode).release();
    const [mean, variance] = block.statistics.map((statistic) => statistic.value) as [tf.Tensor, tf.Tensor];
    const z = tf.conv2d(x, block.parameters[0]?.value as tf.Tensor4D, 1, 1);
    const wanted = tf.div(tf.sub(z, mean), tf.sqrt(tf.add(variance, 1e-5)));
    const kept = [...mean.dataSync()];
    expect(relativeError(block.forward(x, evaluationMode).output, wanted)).toBeLessThan(1e-5);
    expect([...(block.statistics[0]?.value.dataSync() ?? [])]).toEqual(kept);
  });
});

it('rejects unknown options and invalid values', () => {
  const options = { name: 's', scope: createScope(1), inputShape: shape, channels: 2 };
  expect(() => convBatchNormRelu({ ...options, kernel: 3 } as never)).toThrow(/kernelSize/);
  expect(() => basicBlock({ ...options, stride: 0 })).toThrow(/stride/);
  expect(() => bottleneck({ ...options, channels: 6 })).toThrow(/width/);
});
