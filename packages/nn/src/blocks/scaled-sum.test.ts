import { recomputeMode, type Shape3, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { frozenScope } from '../random/frozen-scope.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { checkBlock, checkCost, randomTensor, relativeError } from '../testing/check-block.js';
import { referenceBatchNorm, taker } from '../testing/reference-ops.js';
import { parallelSum } from './parallel-sum.js';
import { basicBlock, convBatchNormRelu } from './residual-blocks.js';
import { scaledSum } from './scaled-sum.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [6, 4, 3];

function blocksOf(stride: number, seed = 1) {
  const scope = createScope(seed);
  const options = { name: 'b', inputShape: shape, channels: stride === 1 ? 3 : 5, stride };
  const [first, second] = ['0', '1'].map((name) => basicBlock({ ...options, scope: scope.scope(name) }));
  if (first === undefined || second === undefined) throw new Error('no blocks');
  return { scope, first, second };
}

describe.each([1, 2])('scaledSum of residual blocks, stride %i', (stride) => {
  it('matches the gradients of the tape', () => {
    const { scope, first, second } = blocksOf(stride);
    checkBlock(
      scaledSum('sum', first, second, scope.scope('scale')),
      (x, values) => {
        const take = taker(values);
        const unit = (input: tf.Tensor4D, step: number, pad: number) =>
          referenceBatchNorm(tf.conv2d(input, take() as tf.Tensor4D, step, pad), take(), take());
        const block = () => {
          const main = unit(tf.relu(unit(x, stride, 1)), 1, 1);
          return tf.relu(tf.add<tf.Tensor4D>(main, stride === 1 ? x : unit(x, stride, 0)));
        };
        const [a, b, s] = [block(), block(), take()];
        return tf.add(tf.mul(a, s), tf.mul(b, tf.sub(2, s)));
      },
      { batch: 4, seed: 2 },
    );
  });

  it('predicts its bytes', () => {
    const scope = createScope(2);
    const options = { name: 'b', inputShape: [8, 8, 8] as Shape3, channels: 8 * stride, stride };
    const [first, second] = ['0', '1'].map((name) => basicBlock({ ...options, scope: scope.scope(name) }));
    if (first === undefined || second === undefined) throw new Error('no blocks');
    checkCost(scaledSum('sum', first, second, scope.scope('scale')));
  });
});

describe('scaledSum', () => {
  it('starts as the plain sum, with one more trained number', () => {
    const { scope, first, second } = blocksOf(1);
    const block = scaledSum('sum', first, second, scope.scope('scale'));
    const x = randomTensor([3, ...shape], createRandom(2)) as tf.Tensor4D;
    const wanted = parallelSum('plain', first, second).forward(x, recomputeMode).output;
    expect(relativeError(block.forward(x, recomputeMode).output, wanted)).toBeLessThan(1e-6);
    expect(block.parameters.at(-1)).toMatchObject({ name: 'scale.weight', kind: 'weight', shape: [1] });
    expect(block.cost?.multiplyAccumulates).toBe(2 * (first.cost?.multiplyAccumulates ?? 0));
  });

  it('replicates with s = 1, and rejects blocks of different shapes', () => {
    const { scope, first, second } = blocksOf(1);
    const block = scaledSum('sum', first, second, scope.scope('scale'));
    scope
      .all()
      .get('scale.weight')
      ?.assign(tf.tensor1d([0.5]));
    const other = createScope(5);
    expect(block.replicate(other).outputShape).toEqual(block.outputShape);
    expect(other.all().get('scale.weight')?.value.dataSync()[0]).toBe(1);
    const wide = convBatchNormRelu({ name: 'wide', scope: createScope(6), inputShape: shape, channels: 7 });
    expect(() => scaledSum('sum', first, wide, createScope(7))).toThrow(/outputShape of 'b' is 6×4×3, of 'wide' 6×4×7/);
  });

  it('has no gradient of a frozen s', () => {
    const { scope, first, second } = blocksOf(1);
    const block = scaledSum('sum', first, second, frozenScope(scope.scope('scale')));
    const x = randomTensor([3, ...shape], createRandom(2)) as tf.Tensor4D;
    const pass = block.forward(x, trainingMode);
    const want = { input: true, parameters: true, release: true };
    const { parameters } = block.vjp(
      pass,
      randomTensor([3, ...block.outputShape], createRandom(3)) as tf.Tensor4D,
      want,
    );
    expect([...parameters.keys()].map(({ name }) => name)).not.toContain('scale.weight');
    checkCost(block);
  });
});
