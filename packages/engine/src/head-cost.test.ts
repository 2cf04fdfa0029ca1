import type { HeadContext, HeadFactory } from '@localgrad/core';
import { basicBlock } from '@localgrad/nn/blocks';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { chainedHead } from '@localgrad/nn/heads';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { costOfHead } from './heads.js';
import { compileFour } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('the cost of a head that declares none', () => {
  const products = 7;
  /** One product of matrices, with the mean of each target. */
  const reading = ({ inputShape }: Pick<HeadContext, 'inputShape'>, reads: readonly string[]) =>
    tapeHead({
      name: 'reader',
      inputShape,
      reads,
      fn: (h, targets) => {
        const means = reads.map((name) => tf.mean(tf.cast(targets[name] as tf.Tensor, 'float32')));
        const factor = tf.matMul(tf.reshape(tf.addN(means), [1, 1]), tf.ones([1, products]));
        return tf.mul<tf.Scalar>(tf.mean(h), tf.mean(factor));
      },
    });
  const costs = (build: HeadFactory['build']) => {
    const { compiled } = compileFour((plan) => ({
      ...plan,
      objectives: plan.objectives.map((one, index) =>
        index === 1 ? { ...one, head: { key: 'own', factory: { name: 'own', build } } } : one,
      ),
    }));
    const [head] = compiled.heads.get(1) ?? [];
    if (head === undefined) throw new Error('no head');
    return costOfHead(head, { network: compiled.network });
  };

  it.each([['labels'], ['images'], ['moduleInput'], ['images', 'labels'], ['images', 'moduleInput']])(
    'is measured with the targets that it reads: %s %s',
    (...reads) => {
      const { multiplyAccumulates, evaluatePeakBytes } = costs((context) => reading(context, reads));
      expect(multiplyAccumulates).toBe(products);
      expect(evaluatePeakBytes(4)).toBeGreaterThan(4 * products);
    },
  );

  it.each([['images'], ['moduleInput']])('is measured behind a chain of blocks, which reads %s with it', (target) => {
    let own = 0;
    const { multiplyAccumulates } = costs((context, scope) => {
      const chain = basicBlock({ name: 'leap', scope, inputShape: context.inputShape, channels: 4, stride: 1 });
      own = multiplyAccumulatesOf(chain);
      return chainedHead('leap+reader', chain, reading({ inputShape: chain.outputShape }, [target]));
    });
    expect(own).toBeGreaterThan(0);
    expect(multiplyAccumulates).toBe(own + products);
  });

  it('is estimated from the input if only the data set knows what the head reads', () => {
    const { evaluatePeakBytes, multiplyAccumulates } = costs((context) => reading(context, ['values']));
    expect(multiplyAccumulates).toBe(0);
    const { network } = compileFour().compiled;
    const [height = 0, width = 0, channels = 0] = network.modules[1]?.outputShape ?? [];
    expect(evaluatePeakBytes(4)).toBe(8 * 4 * 4 * height * width * channels);
  });
});
