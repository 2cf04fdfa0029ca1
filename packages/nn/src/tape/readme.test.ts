import { startOfTraining, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { it, expect } from 'vitest';
import { createScope, heNormalFanOut, tapeHead, zeros } from '../index.js';
it('x', async () => {
  await tf.setBackend('cpu');
  const scope = createScope(1);
  const inputShape = [4, 4, 3] as const;
  const classes = 5;
  const head = tapeHead({
    name: 'center-loss', scope, inputShape,
    parameters: [{ name: 'centers', shape: [classes, inputShape[2]], initializer: heNormalFanOut }],
    statistics: [{ name: 'mean', shape: [inputShape[2]], initializer: zeros }],
    fn: (h, { labels }, [centers], { mode, clock, random, statistics: [mean] }) => {
      const features = tf.mean(h, [1, 2]);
      const batchMean = tf.mean(features, 0);
      const own = tf.gather(centers as tf.Tensor, labels as tf.Tensor1D);
      const distance = tf.mean(tf.squaredDifference(tf.sub(features, mode.training ? batchMean : (mean as tf.Tensor)), own));
      const decay = tf.mean(tf.square(centers as tf.Tensor));
      const loss = tf.add(distance, tf.mul(decay, 0.01 * (1 - clock.fraction)));
      return mode.training ? { loss, terms: { distance, decay }, statistics: [batchMean] } : { loss };
    },
  });
  const r = head.evaluate(tf.ones([3, 4, 4, 3]), { labels: tf.tensor1d([0, 4, 2], 'int32') }, { mode: trainingMode, weight: 1, input: true, clock: startOfTraining });
  expect(r.parameters.size).toBe(1);
  expect(r.input?.shape).toEqual([3, 4, 4, 3]);
});
