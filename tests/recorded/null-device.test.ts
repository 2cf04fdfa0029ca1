import { cifarResNet } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { mlaan } from '@localgrad/mlaan';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { startNullDevice } from './null-device.fixture.js';
import { createTraining } from './training.fixture.js';

const runtime = await startNullDevice();
afterAll(() => runtime?.dispose());

describe.skipIf(runtime === undefined)('recorded steps of ResNet-32', { timeout: 300_000 }, () => {
  it.each([
    ['end to end', backprop(), 1],
    ['with DGL, K = 16', dgl({ head: '1c2f' }), 16],
    ['with MLAAN, K = 16', mlaan(greedy()), 16],
  ] as const)('%s', (_, method, modules) => {
    const training = createTraining({ factory: cifarResNet({ depth: 32 }), method, modules, side: 32, batch: 2 });
    for (let index = 0; index < 8; index++) {
      const { losses, terms } = training.runStep(index);
      tf.dispose([...losses.values(), ...terms.values()]);
      console.log(training.step.recording);
    }
    expect(training.step.recording?.mode).toBe('recorded');
    training.dispose();
  });
});
