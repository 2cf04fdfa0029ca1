import { finalObjective, type TrainingPlan } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { describePlan } from './description.js';
import { buildNetwork } from './plain-network.fixture.js';
import type { MemoryPolicy } from './schedule.js';
import { fourLayers } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function describeWith(memory: MemoryPolicy) {
  const scope = createScope(1);
  const network = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
  const plan: TrainingPlan = { method: 'end to end', objectives: [finalObjective(4, 0)], hooks: [] };
  return describePlan(compilePlan(network, plan, { scope, memory }), 64).totals;
}

it('recomputes only the listed modules: their forward passes are the additional work, and less is stored', () => {
  const [none, some, all] = [describeWith('residuals'), describeWith({ recompute: [0] }), describeWith('recompute')];
  expect(none.unitsOfWork).toBeCloseTo(3, 6);
  expect(some.unitsOfWork).toBeGreaterThan(none.unitsOfWork);
  expect(some.unitsOfWork).toBeLessThan(all.unitsOfWork);
  expect(some.predictedPeakBytes).toBeLessThan(none.predictedPeakBytes);
  expect(describeWith({ recompute: [] })).toEqual(none);
  expect(describeWith({ recompute: [0, 1, 2] })).toEqual(all);
});

it('rejects modules that the network does not have', () => {
  expect(() => describeWith({ recompute: [4] })).toThrow(/Unknown memory policy '4'.*module indices from 0 to 3/);
});
