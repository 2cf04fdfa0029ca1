import { selectBackend } from '@localgrad/backends';
import { type HeadFactory, independentPlan, type LocalLearningMethod } from '@localgrad/core';
import { requireTarget } from '@localgrad/nn/losses';
import { uniformFanIn } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';
import { describeMethod } from './index.js';

await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

const stopGradient = tf.customGrad((x) => ({
  value: tf.clone(x as tf.Tensor),
  gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
}));

/** A classifier whose logits are pulled towards a function of themselves, which gets no gradient: not the derivative of its loss. */
const headFactory: HeadFactory = {
  name: 'self-target',
  build({ inputShape, classes, module }, scope) {
    const channels = inputShape[2];
    const weight = scope.parameter('weight', [channels, classes], uniformFanIn(channels));
    return tapeHead({
      name: `self-target${module}`,
      inputShape,
      parameters: [weight],
      fn: (h, targets, [kernel]) => {
        const labels = requireTarget(targets, 'labels', 'self-target');
        const logits = tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), kernel as tf.Tensor2D);
        const consistency = tf.mul(5, tf.losses.meanSquaredError(stopGradient(tf.mul(logits, -1)), logits));
        return tf.add(tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes), logits), consistency) as tf.Scalar;
      },
    });
  },
};

const selfTarget = (): LocalLearningMethod => ({
  specVersion: 'v1',
  name: 'self-target',
  config: { method: 'self-target' },
  plan: (network) => independentPlan('self-target', network, headFactory),
});

describeMethod('a method with stop-gradients', selfTarget, { stopGradients: 'the target of consistency is constant' });
