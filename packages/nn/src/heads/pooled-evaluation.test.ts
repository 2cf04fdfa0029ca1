import { type Head, type HeadRequest, type Shape3, startOfTraining } from '@localgrad/core';
import { registerTrainingKernels, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { spreadMeans } from '../blocks/window-means.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { randomTensor, relativeError } from '../testing/check-block.js';
import { LiveBytes } from '../testing/live-bytes.js';
import { combinedHead } from './combined-head.js';
import { context } from './head-laws.fixture.js';
import { headFactory } from './named-heads.js';
import { pooledEvaluationOf } from './pooled-evaluation.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const inputShape: Shape3 = [16, 16, 4];
const build = (name: string, shape = inputShape) => headFactory(name).build(context(shape), createScope(1));
/** Of a head with hundreds of channels, plain JavaScript computes a batch of 16 in minutes. */
const batchOf = (name: string) => (name === 'dgl-128x512' ? 2 : 16);
const data = (batch: number) => {
  const random = createRandom(5);
  return {
    h: randomTensor([batch, ...inputShape], random) as tf.Tensor4D,
    targets: {
      labels: tf.tensor1d(
        Array.from({ length: batch }, () => random.integer(10)),
        'int32',
      ),
    },
  };
};
const request: HeadRequest = {
  mode: { training: true, statisticsUpdates: 0 },
  weight: 0.5,
  input: true,
  clock: startOfTraining,
};

describe.each(['auglocal-dgl', 'dgl-mlp', 'dgl-128x512', '0c1f', '0c2f'])('%s', (name) => {
  const batch = batchOf(name);
  it('has the same gradients where its module reads the cotangent of means', () => {
    const head = build(name);
    const { h, targets } = data(batch);
    const before = tf.memory().numTensors;
    const expected = head.evaluate(h, targets, request);
    const pooled = pooledEvaluationOf(head);
    const found = pooled?.evaluate(h, targets, request);
    expect(found?.input?.shape).toEqual([batch, ...(pooled?.shape ?? [])]);
    const input = spreadMeans(found?.input as tf.Tensor4D, inputShape);
    expect(relativeError(input, expected.input as tf.Tensor)).toBeLessThan(1e-6);
    expect(found?.loss.dataSync()).toEqual(expected.loss.dataSync());
    for (const [parameter, gradient] of expected.parameters) {
      expect(found?.parameters.get(parameter)?.dataSync()).toEqual(gradient.dataSync());
    }
    for (const result of [expected, found])
      tf.dispose([result?.loss as tf.Tensor, ...(result?.parameters.values() ?? [])]);
    tf.dispose([input, expected.input as tf.Tensor]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('then predicts its bytes', () => {
    const pooled = pooledEvaluationOf(build(name));
    const { h, targets } = data(batch);
    const meter = new LiveBytes();
    const unregister = registerTrainingKernels(meter.withoutTemporaries(stockKernels));
    const { peak } = meter.peakOf(() => pooled?.evaluate(h, targets, request));
    unregister();
    meter.stop();
    const predicted = pooled?.evaluatePeakBytes(batch) ?? 0;
    expect(Math.abs(peak - predicted), `${peak} for ${predicted}`).toBeLessThan(0.05 * peak);
  });
});

describe('heads that need a map for the cotangent of their input', () => {
  it.each([
    ['one that starts with a convolution', build('1c2f')],
    ['one whose bins are uneven', build('auglocal-dgl', [10, 10, 4])],
    ['a copy with another evaluation', { ...build('0c2f'), evaluate: build('0c2f').evaluate } satisfies Head],
    ['a sum of heads', combinedHead('sum', [{ name: 'one', weight: 2, head: build('0c2f') }])],
  ])('%s', (_, head) => {
    expect(pooledEvaluationOf(head)).toBeUndefined();
  });
});
