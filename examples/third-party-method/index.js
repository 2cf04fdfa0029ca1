// A local-learning method of somebody else: every module gathers its samples around one prototype for each class.
// The loss is an ordinary TensorFlow.js function; `tapeHead` differentiates it.
import { independentPlan, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { heNormalFanOut, tapeHead } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';

/** Cosine of each sample's pooled features with each prototype, [batch, classes]. */
function similarities(h, prototypes) {
  const unit = (rows) => tf.div(rows, tf.maximum(tf.norm(rows, 'euclidean', 1, true), 1e-6));
  return tf.matMul(unit(tf.mean(h, [1, 2])), unit(prototypes), false, true);
}

/**
 * @param {{ temperature?: number }} options temperature of the softmax over similarities; default 0.1
 * @returns {import('@localgrad/core').LocalLearningMethod}
 */
export default function prototypes(options = {}) {
  rejectUnknownKeys('acme-localgrad-prototypes', options, ['temperature']);
  const { temperature = 0.1 } = options;
  requireOption(temperature > 0, 'acme-localgrad-prototypes', 'temperature', temperature, 'numbers > 0');
  const factory = {
    name: 'prototypes',
    build: ({ inputShape, classes }, scope) =>
      tapeHead({
        name: 'prototypes',
        inputShape,
        parameters: [scope.parameter('prototypes', [classes, inputShape[2]], heNormalFanOut)],
        fn: (h, { labels }, [values]) => {
          const scores = tf.div(similarities(h, values), temperature);
          return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes), scores);
        },
        predict: (h, [values]) => similarities(h, values),
      }),
  };
  const name = 'acme-localgrad-prototypes';
  return {
    specVersion: 'v1',
    name,
    config: { method: name, ...options },
    plan: (network) => independentPlan(name, network, factory),
  };
}
