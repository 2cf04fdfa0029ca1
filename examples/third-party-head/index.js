// A third-party head: a classifier with attention pooling. Its logits are adjusted by the frequencies of the classes seen so
// far (Menon et al. 2021); the counts are state, which checkpoints keep.
import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import { heNormalFanOut, zeros } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';

const name = 'acme-localgrad-attention';

/** Class scores [batch, classes] of a feature map, averaged over its positions with learned weights. */
function scoresOf(h, [query, weight, bias]) {
  const [batch, height, width, channels] = h.shape;
  const positions = tf.reshape(h, [batch, height * width, channels]);
  const similarities = tf.sum(tf.mul(positions, query), 2, true);
  const attention = tf.softmax(tf.transpose(similarities, [0, 2, 1]));
  const pooled = tf.reshape(tf.matMul(attention, positions), [batch, channels]);
  return tf.add(tf.matMul(pooled, weight), bias);
}

/**
 * @param {{ adjustment?: number }} options strength of the logit adjustment; default 1
 * @returns {import('@localgrad/nn/heads').NamedHeadFactory}
 */
export default function attentionHead(options = {}) {
  rejectUnknownKeys(name, options, ['adjustment']);
  const { adjustment = 1 } = options;
  requireOption(adjustment >= 0, name, 'adjustment', adjustment, 'numbers ≥ 0');
  return {
    name,
    config: { head: name, ...options },
    build({ inputShape, classes }, scope) {
      const channels = inputShape[2];
      const counts = scope.parameter('counts', [classes], zeros, 'state');
      const head = tapeHead({
        name,
        scope,
        inputShape,
        parameters: [
          { name: 'query', shape: [channels], initializer: zeros },
          { name: 'weight', shape: [channels, classes], initializer: heNormalFanOut },
          { name: 'bias', shape: [classes], initializer: zeros },
        ],
        fn(h, { labels }, values, { mode }) {
          const truth = tf.oneHot(labels, classes);
          const scores = scoresOf(h, values);
          if (!mode.training) return tf.losses.softmaxCrossEntropy(truth, scores);
          const smoothed = tf.add(counts.value, 1);
          const prior = tf.mul(tf.log(tf.div(smoothed, tf.sum(smoothed))), adjustment);
          return tf.losses.softmaxCrossEntropy(truth, tf.add(scores, prior));
        },
        predict: scoresOf,
      });
      return {
        ...head,
        state: [counts],
        evaluate(h, targets, request) {
          const result = head.evaluate(h, targets, request);
          // Repeated forward passes count each batch once.
          if (request.mode.statisticsUpdates > 0) {
            counts.assign(tf.tidy(() => tf.add(counts.value, tf.sum(tf.oneHot(targets.labels, classes), 0))));
          }
          return result;
        },
      };
    },
  };
}
