import { tinyNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import type { LocalLearningMethod } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { headNames } from '@localgrad/nn/heads';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCleanLearning } from './clean-learning.fixture.js';
import { rig, tinyShape } from './rig.fixture.js';

const steps = Number(process.env.LOCALGRAD_TEST_STEPS ?? 2000);

describe('many training steps on wasm', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  it.each([
    ['backprop', backprop()],
    ['greedy', greedy()],
    ...headNames
      .filter(
        (name) => !['infopro-imagenet', 'infopro-segmentation', 'mmsegmentation-fcn', 'class-token'].includes(name),
      )
      .map((head): [string, LocalLearningMethod] => [`dgl with ${head}`, dgl({ head })]),
  ] as [string, LocalLearningMethod][])('%s leaves no tensor behind in 200 steps, and learns', (_, method) => {
    expectCleanLearning(backend, method, 200);
  });

  it(`keeps heap and tensors flat over ${steps} steps`, () => {
    const rigged = rig(tinyNet({ blocks: 2 }), dgl({ head: '1c2f' }), 3, tinyShape, 4);
    rigged.run(50);
    const tensors = tf.memory().numTensors;
    const available = backend.availableBytes();
    rigged.run(steps - 50);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(Math.abs(available - backend.availableBytes())).toBeLessThan(64 * 1024);
    rigged.dispose();
  });
});
