// A third-party local-learning method: every module gathers its samples around one prototype for each class.
import { independentPlan, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { heNormalFanOut } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';

const name = 'acme-localgrad-prototypes';

/** Cosine of each sample's pooled features with each prototype, [batch, classes]. */
function similarities(h, prototypes) {
  const unit = (rows) => tf.div(rows, tf.maximum(tf.norm(rows, 'euclidean', 1, true), 1e-6));
  return tf.matMul(unit(tf.mean(h, [1, 2])), unit(prototypes), false, true);
}

/** h with Gaussian noise; `random` is absent in evaluation. */
function jittered(h, jitter, random) {
  if (random === undefined || jitter === 0) return h;
  return tf.add(
    h,
    tf.tensor(
      Float32Array.from({ length: h.size }, () => jitter * random.normal()),
      h.shape,
    ),
  );
}

/**
 * @param {{ temperature?: number, jitter?: number }} options temperature of the softmax over similarities, at the end of
 *   training (it starts at twice that; default 0.1), and deviation of the noise on features in training (default 0.05)
 * @returns {import('@localgrad/core').LocalLearningMethod}
 */
export default function prototypes(options = {}) {
  rejectUnknownKeys(name, options, ['temperature', 'jitter']);
  const { temperature = 0.1, jitter = 0.05 } = options;
  requireOption(temperature > 0, name, 'temperature', temperature, 'numbers > 0');
  const factory = {
    name: 'prototypes',
    build: ({ inputShape, classes }, scope) =>
      tapeHead({
        name: 'prototypes',
        scope,
        inputShape,
        parameters: [{ name: 'prototypes', shape: [classes, inputShape[2]], initializer: heNormalFanOut }],
        fn: (h, { labels }, [values], { clock, random }) => {
          const scores = similarities(jittered(h, jitter, random), values);
          const heat = temperature * (2 - clock.fraction);
          return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes), tf.div(scores, heat));
        },
        predict: (h, [values]) => similarities(h, values),
      }),
  };
  return {
    specVersion: 'v1',
    name,
    config: { method: name, ...options },
    plan: (network) => independentPlan(name, network, factory),
  };
}
