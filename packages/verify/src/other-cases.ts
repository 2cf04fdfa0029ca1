import { Parameter, startOfTraining } from '@localgrad/core';
import { supervisedContrastive } from '@localgrad/nn/losses';
import { sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { arrayError, numberError, type ReferenceTensors } from './compare.js';
import type { LossCase, OptimizerCase } from './format.js';
import { Groups } from './groups.js';

/** Compares a loss on given rows, and its gradient. */
export async function runLossCase(spec: LossCase, tensors: ReferenceTensors): Promise<Groups> {
  const groups = new Groups();
  const { shape, data } = tensors.floats(spec.features);
  const { temperature, baseTemperature } = spec;
  const rows = tf.tensor4d(data, [shape[0] ?? 0, 1, 1, shape[1] ?? 0]);
  const labels = tf.tensor1d(Int32Array.from(spec.labels), 'int32');
  const { loss, cotangent } = supervisedContrastive({ temperature, baseTemperature }).evaluate(rows, { labels }, 1);
  groups.note('losses', 'loss', numberError((await loss.data())[0], spec.expected.loss));
  const gradient = arrayError(await cotangent.data(), tensors.floats(spec.expected.gradient).data, 'largest-entry');
  groups.note('gradients', 'features', gradient);
  tf.dispose([rows, labels, loss, cotangent]);
  return groups;
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
