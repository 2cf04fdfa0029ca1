import { cifarResNet } from '@localgrad/backbones';
import { at, createNetwork, type HeadContext, resolvePartition, startOfTraining, trainingMode } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type MonoForwardOptions, monoForward } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function networkOf(modules: number) {
  const backbone = cifarResNet({ depth: 8, width: 4 }).build({
    inputShape: [8, 8, 3],
    classes: 10,
    scope: createScope(1),
  });
  return createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
}

function buildHead(options: MonoForwardOptions) {
  const inputShape = [3, 2, 5] as const;
  const context: HeadContext = {
    module: 0,
    modules: 3,
    inputShape,
    moduleInputShape: [8, 8, 3],
    finalShape: inputShape,
    classes: 4,
    imageShape: [8, 8, 3],
  };
  const head = monoForward(options).plan(networkOf(3)).objectives[0]?.head.factory?.build(context, createScope(1));
  if (head === undefined) throw new Error('no head');
  return head;
}

describe('mono-forward', () => {
  it('trains each module separately, the last one with the classifier', () => {
    const { objectives } = monoForward().plan(networkOf(3));
    expect(objectives.map(({ role, span, weight }) => [role, ...span, weight])).toEqual([
      ['independent', 0, 0, 1],
      ['independent', 1, 1, 1],
      ['final', 2, 2, 1],
    ]);
  });

  it.each([
    ['flatten', 30],
    ['average', 5],
  ] as const)('projects %s features to class scores, without bias', (features, inputs) => {
    const head = buildHead({ features });
    expect(head.parameters.map(({ name, shape }) => [name, shape])).toEqual([['projection.weight', [inputs, 4]]]);
    expect(head.predict?.(tf.zeros([2, 3, 2, 5])).arraySync()).toEqual([Array(4).fill(0), Array(4).fill(0)]);
  });

  it.each(['flatten', 'average'] as const)('matches loss and gradients of the tape: %s', (features) => {
    const head = buildHead({ features });
    const h: tf.Tensor4D = tf.randomNormal([3, 3, 2, 5], 0, 1, 'float32', 7);
    const labels = tf.tensor1d([0, 3, 3], 'int32');
    const weight = at(head.parameters, 0, 'parameter');
    const reference = (x: tf.Tensor, projection: tf.Tensor) => {
      const rows: tf.Tensor2D = features === 'flatten' ? tf.reshape(x, [3, 30]) : tf.mean(x, [1, 2]);
      const scores = tf.matMul(rows, tf.reshape<tf.Rank.R2>(projection, [head.parameters[0]?.shape[0] ?? 0, 4]));
      return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 4), scores).asScalar();
    };
    const request = { mode: trainingMode, weight: 2, input: true, clock: startOfTraining };
    const { loss, input, parameters } = head.evaluate(h, { labels }, request);
    expect(loss.dataSync()[0]).toBeCloseTo(at(reference(h, weight.value).dataSync(), 0, 'loss'), 5);
    const tape = tf.grads(reference)([h, weight.value]);
    for (const [found, wanted] of [
      [input, tape[0]],
      [parameters.get(weight), tape[1]],
    ]) {
      const values = found?.dataSync() ?? [];
      for (const [index, value] of [...(wanted?.dataSync() ?? [])].entries()) {
        expect(Math.abs(at(values, index, 'value') - 2 * value)).toBeLessThan(1e-5);
      }
    }
  });

  it('is rebuilt from its config', () => {
    expect(monoForward().config).toEqual({ method: 'mono-forward' });
    expect(monoForward({ features: 'average' }).config).toEqual({ method: 'mono-forward', features: 'average' });
  });

  it.each<[string, RegExp]>([
    ['{ "feature": "flatten" }', /option of mono-forward 'feature'. Did you mean 'features'/],
    ['{ "features": "maximum" }', /'features' is 'maximum'.*flatten, average/],
  ])('rejects %s', (options, message) => {
    expect(() => monoForward(JSON.parse(options))).toThrow(message);
  });
});
