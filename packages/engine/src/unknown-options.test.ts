import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { describePlan } from './description.js';
import { createExecutor } from './executor.js';
import { costOfHeads } from './head-costs.js';
import { createLiteralExecutor } from './literal.js';
import { partOf } from './part.js';
import { createPartStep } from './part-step.js';
import { compileSchedule } from './schedule.js';
import { predictBytes } from './step-bytes.js';
import { compileFour, randomBatch } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { compiled, scope } = compileFour();
const wrong = { mistaken: 1 } as never;

it.each<[string, () => unknown, string]>([
  [
    'compilePlan',
    () => compilePlan(compiled.network, compiled.plan, { scope, mistaken: 1 } as never),
    'scope, memory, targets, delay, gradientDelay, labelSmoothing, createTargets',
  ],
  [
    'createTrainStep',
    () => createTrainStep(wrong),
    'compiled, optimizer, executor, learningRate, accumulate, seed, recordSteps',
  ],
  ['createPartStep', () => createPartStep(wrong), 'onOutput, onHead, crossings, compiled, optimizer, accumulate, seed'],
  ['createExecutor', () => createExecutor(compiled, wrong), 'onOutput, onHead, crossings'],
  ['describePlan', () => describePlan(compiled, 4, wrong), 'optimizer, accumulate'],
  ['predict', () => compiled.predict(4, wrong), 'optimizer, allGradients, accumulate, phase'],
  ['predict', () => partOf(compiled, [1, 2]).predict(4, wrong), 'optimizer, allGradients, accumulate, phase'],
  ['compileSchedule', () => compileSchedule([[0, 0]], 1, 'residuals', new Set(), wrong), 'inputReaders, taught, end'],
  [
    'predictBytes',
    () => predictBytes({ modules: [], heads: new Map() } as never, [], 0, wrong),
    'keepsSent, gradients, countsLosses',
  ],
  ['costOfHeads', () => costOfHeads(compiled.network, [], 4, wrong), 'optimizer, accumulate, scope, createTargets'],
])('%s names an unknown option and the allowed ones', (where, call, allowed) => {
  expect(call).toThrow(`Unknown option of ${where} 'mistaken'. Allowed: ${allowed}.`);
});

it.each([createExecutor, createLiteralExecutor])('a step of %o names an unknown option', (create) => {
  const batch = randomBatch(1);
  const step = () => create(compiled).step(batch, { onGradient: () => {} } as never);
  expect(step).toThrow("Unknown option of executor.step 'onGradient'. Did you mean 'onGradients'?");
  batch.dispose();
});
