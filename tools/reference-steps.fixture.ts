import { readFileSync } from 'node:fs';
import { get } from '@localgrad/core';
import { activationFromPyTorch, readSafetensors, weightFromPyTorch } from '@localgrad/nn/serialization';

/**
 * Reads the training steps of a file of a method's `scripts/reference-steps.py`, with axes in localgrad's order.
 *
 * @param losses number of losses of a step
 */
export function readReferenceSteps(file: URL, losses: number) {
  const { tensors } = readSafetensors(readFileSync(file));
  const values = (key: string) => {
    const tensor = get(tensors, key, 'tensor');
    if (!(tensor.data instanceof Float32Array)) throw new Error(`${key} is not float32`);
    return { shape: tensor.shape, data: tensor.data };
  };
  const labels = get(tensors, 'labels', 'tensor').data;
  if (!(labels instanceof Int32Array)) throw new Error('labels are not int32');
  return {
    images: activationFromPyTorch(values('images')),
    labels,
    /** Names of the weights. */
    weights: [...tensors.keys()].flatMap((key) => (key.startsWith('before.') ? [key.slice(7)] : [])),
    before: (weight: string) => weightFromPyTorch(values(`before.${weight}`)),
    after: (weight: string) => weightFromPyTorch(values(`after.${weight}`)),
    losses: (step: number) => [...values('losses').data.slice(losses * step, losses * (step + 1))],
    values,
  };
}
