import {
  type HeadFactory,
  independentPlan,
  type LocalLearningMethod,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
import { requireTarget } from '@localgrad/nn/losses';
import { uniformFanIn, zeros } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';

const name = 'localgrad-template';

export interface MethodOptions {
  /** Label smoothing of the local losses, from 0 to below 1. Default 0.1. */
  readonly smoothing?: number;
}

/** Trains each module by the cross-entropy of one dense layer on the mean of its feature map. */
export function method(options: MethodOptions = {}): LocalLearningMethod {
  rejectUnknownKeys(name, options, ['smoothing']);
  const { smoothing = 0.1 } = options;
  requireOption(smoothing >= 0 && smoothing < 1, name, 'smoothing', smoothing, 'numbers from 0 to below 1');
  const head = localClassifier(smoothing);
  return {
    specVersion: 'v1',
    name,
    config: { method: name, ...options },
    plan: (network) => independentPlan(name, network, head),
  };
}

/** Builds the auxiliary network of one module. TensorFlow.js differentiates `fn`: you don't write a backward pass. */
function localClassifier(smoothing: number): HeadFactory {
  const scores = (h: tf.Tensor, parameters: readonly tf.Tensor[]): tf.Tensor => {
    const [weight, bias] = parameters as [tf.Tensor, tf.Tensor];
    return tf.add(tf.matMul(tf.mean(h, [1, 2]), weight), bias);
  };
  return {
    name: 'local-classifier',
    build: ({ inputShape, classes }, scope) =>
      tapeHead({
        name: 'local-classifier',
        scope,
        inputShape,
        parameters: [
          { name: 'weight', shape: [inputShape[2], classes], initializer: uniformFanIn(inputShape[2]) },
          { name: 'bias', shape: [classes], initializer: zeros },
        ],
        fn(h, targets, parameters) {
          const labels = tf.oneHot(requireTarget(targets, 'labels', name), classes);
          return tf.losses.softmaxCrossEntropy(labels, scores(h, parameters), undefined, smoothing);
        },
        predict: scores,
      }),
  };
}
