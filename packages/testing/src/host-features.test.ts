import { selectBackend } from '@localgrad/backends';
import { identity, type MethodDecorator, type TrainingPlan } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { type HostFeature, lostFeatures } from './host-features.js';

// On plain JavaScript, they take a minute.
await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

/** A decorator that changes the host's plan. */
const changing =
  (change: (plan: TrainingPlan) => TrainingPlan): MethodDecorator =>
  (method) => ({ ...method, plan: (network) => change(method.plan(network)) });

describe('lostFeatures', () => {
  it.each<[HostFeature, (plan: TrainingPlan) => TrainingPlan]>([
    ['hooks', (plan) => ({ ...plan, hooks: [] })],
    ['state', ({ state: _, ...plan }) => plan],
    ['phases', ({ phases: _, ...plan }) => plan],
    ['rewriteBlock', ({ rewriteBlock: _, ...plan }) => plan],
    ['weights', (plan) => ({ ...plan, objectives: plan.objectives.map((one) => ({ ...one, weight: 1 })) })],
  ])('finds a decorator that drops %s, unless it replaces them', async (feature, change) => {
    expect(await lostFeatures(changing(change), [])).toEqual([feature]);
    expect(await lostFeatures(changing(change), [feature])).toEqual([]);
  });

  it('accepts a decorator that keeps everything', async () => {
    expect(await lostFeatures(identity, [])).toEqual([]);
  });
});
