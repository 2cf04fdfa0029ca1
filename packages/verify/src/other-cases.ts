import { Parameter, startOfTraining } from '@localgrad/core';
import { type LossFunction, supervisedContrastive } from '@localgrad/nn/losses';
import { sgd } from '@localgrad/nn/optimizers';
import { similarityMatching } from '@localgrad/predsim';
import * as tf from '@tensorflow/tfjs';
import { arrayError, numberError, type ReferenceTensors, tensorError } from './compare.js';
import type { LossCase, OptimizerCase } from './format.js';
import { Groups } from './groups.js';

/** Compares a loss on given features, and its gradient. */
export async function runLossCase(spec: LossCase, tensors: ReferenceTensors): Promise<Groups> {
  const groups = new Groups();
  const { shape, data } = tensors.activation(spec.features);
  const [size = 0, height = 1, width = 1, channels = 0] = shape.length === 2 ? [shape[0], 1, 1, shape[1]] : shape;
  const features = tf.tensor4d(data, [size, height, width, channels]);
  const labels = tf.tensor1d(Int32Array.from(spec.labels), 'int32');
  const { loss, cotangent } = lossOf(spec).evaluate(features, { labels }, 1);
  groups.note('losses', 'loss', numberError((await loss.data())[0], spec.expected.loss));
  const error = await tensorError(cotangent, spec.expected.gradient, tensors, 'largest-entry', 'activation');
  groups.note('gradients', 'features', error);
  tf.dispose([features, labels, loss, cotangent]);
  return groups;
}

function lossOf(spec: LossCase): LossFunction {
  if (spec.loss === 'similarity-matching') return similarityMatching(spec.classes);
  const { temperature, baseTemperature } = spec;
  return supervisedContrastive({ temperature, baseTemperature });
}

/** Compares the weights after optimizer updates with given gradients. */
export async function runOptimizerCase(spec: OptimizerCase, tensors: ReferenceTensors): Promise<Groups> {
  const groups = new Groups();
  const { shape, data } = tensors.floats(spec.gradients);
  const [steps = 0, size = 0] = shape;
  const expected = tensors.floats(spec.expected.weights).data;
  const parameter = new Parameter('weight', tf.tensor1d(tensors.floats(spec.start).data));
  const optimizer = sgd(spec.optimizer);
  for (let step = 0; step < steps; step++) {
    const row = (values: Float32Array) => values.subarray(step * size, (step + 1) * size);
    const gradient = tf.tensor1d(row(data));
    const { learningRate } = spec.optimizer;
    optimizer.update([{ parameter, gradient }], { learningRate, clock: startOfTraining });
    const error = arrayError(await parameter.value.data(), row(expected), 'largest-entry');
    groups.note('weights', `step ${step + 1}`, error);
  }
  optimizer.dispose();
  parameter.dispose();
  return groups;
}
