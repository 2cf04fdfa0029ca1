import { backprop } from '@localgrad/backprop';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { consoleProgress, probeModules, train } from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const wrong = { mistaken: 1 } as never;

it('train, probeModules and consoleProgress name an unknown option and the allowed ones', async () => {
  const { compiled, optimizer, dispose } = setUp(backprop(), 1);
  const options = { compiled, optimizer, learningRate: 0.05, epochs: 1, batches: toyBatches(16, 8) };
  const checkpoints = { everyStep: 1, save: () => {} };
  await expect(train({ ...options, checkpoints } as never)).rejects.toThrow(
    "Unknown option of train, checkpoints 'everyStep'. Did you mean 'everySteps'? Allowed: everyEpochs, everySteps, isDue, save.",
  );
  await expect(train({ ...options, ...(wrong as object) })).rejects.toThrow("Unknown option of train 'mistaken'");
  await expect(probeModules(wrong)).rejects.toThrow(
    "Unknown option of probeModules 'mistaken'. Allowed: network, batches, testBatches, ridge.",
  );
  expect(() => consoleProgress({ write: () => true }, wrong)).toThrow(
    "Unknown option of consoleProgress 'mistaken'. Allowed: label, interval, now.",
  );
  dispose();
});

it('train gives createStep the options of the step, without those of the loop', async () => {
  const { compiled, optimizer, dispose } = setUp(backprop(), 1);
  const given: object[] = [];
  const createStep = (options: object): never => {
    given.push(options);
    throw new Error('enough');
  };
  const loop = { epochs: 1, batches: toyBatches(16, 8), createStep };
  const step = { compiled, optimizer, learningRate: 0.05, accumulate: 2, seed: 3, recordSteps: false };
  await expect(train({ ...step, ...loop })).rejects.toThrow('enough');
  expect(given).toEqual([step]);
  dispose();
});
