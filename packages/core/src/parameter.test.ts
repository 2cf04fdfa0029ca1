import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { Parameter } from './parameter.js';
import { bytesOf, formatShape, sameShape, sizeOf } from './shapes.js';

describe('Parameter', () => {
  it('owns exactly one tensor after any number of assignments', () => {
    const before = tf.memory().numTensors;
    const parameter = new Parameter('fc.weight', tf.ones([2, 3]));
    expect([parameter.kind, parameter.size, parameter.shape]).toEqual(['weight', 6, [2, 3]]);
    for (let round = 0; round < 3; round++) tf.tidy(() => parameter.assign(tf.fill([2, 3], round)));
    parameter.assign(parameter.value);
    expect(tf.memory().numTensors).toBe(before + 1);
    expect([...parameter.value.dataSync()]).toEqual([2, 2, 2, 2, 2, 2]);
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('rejects a tensor of another shape and keeps its value', () => {
    const parameter = new Parameter('fc.bias', tf.ones([3]), 'frozen');
    const wrong = tf.ones([1, 3]);
    expect(() => parameter.assign(wrong)).toThrow("Parameter 'fc.bias' has shape 3, but a tensor of shape 1×3");
    expect([...parameter.value.dataSync()]).toEqual([1, 1, 1]);
    wrong.dispose();
    parameter.dispose();
  });
});

describe('shapes', () => {
  it('computes element counts and bytes, and formats shapes', () => {
    expect(sizeOf([32, 16, 3])).toBe(1536);
    expect(bytesOf([32, 16, 3], 2)).toBe(2 * 4 * 1536);
    expect(formatShape([32, 16, 3])).toBe('32×16×3');
    expect(formatShape([])).toBe('[]');
    expect([sameShape([1, 2], [1, 2]), sameShape([1, 2], [2, 1]), sameShape([1], [1, 1])]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
