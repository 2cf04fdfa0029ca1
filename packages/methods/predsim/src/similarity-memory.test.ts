import { selectBackend } from '@localgrad/backends';
import type { Shape3 } from '@localgrad/core';
import { MemoryMeter } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { similarityMatching } from './index.js';

// Reductions of the plain JavaScript backend copy their input.
await selectBackend('wasm');

describe('similarityMatching', () => {
  it.each<[number, Shape3]>([
    [32, [1, 1, 64]],
    [64, [1, 1, 8]],
    [32, [6, 6, 16]],
    [64, [2, 2, 4]],
    [16, [8, 8, 3]],
    [4, [1, 1, 2]],
    [2, [4, 4, 16]],
  ])('predicts its peak memory to the byte: batch %i, %j', (batch, shape) => {
    const output: tf.Tensor4D = tf.randomNormal([batch, ...shape], 0, 1, 'float32', 1);
    const targets = { labels: tf.zeros<tf.Rank.R1>([batch], 'int32') };
    const meter = new MemoryMeter();
    similarityMatching(10).evaluate(output, targets, 1);
    const { peakBytes } = meter;
    meter.detach();
    expect(similarityMatching(10).peakBytes(shape, batch)).toBe(peakBytes);
  });
});
