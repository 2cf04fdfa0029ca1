import { tinyNet } from '@localgrad/backbones';
import type { BackendHandle } from '@localgrad/backends';
import type { LocalLearningMethod } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { rig, tinyShape } from './rig.fixture.js';

/** Every loss falls, and neither tensors nor heap grow. */
export function expectCleanLearning(backend: BackendHandle, method: LocalLearningMethod, steps: number): void {
  const rigged = rig(tinyNet(), method, 4, tinyShape, 10);
  const first = rigged.run(1);
  const tensors = tf.memory().numTensors;
  const available = backend.availableBytes();
  const last = rigged.run(steps - 1);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(Math.abs(available - backend.availableBytes())).toBeLessThan(64 * 1024);
  last.forEach((loss, index) => {
    expect(loss).toBeLessThan(first[index] as number);
  });
  rigged.dispose();
}
