import { type BackendHandle, selectBackend } from '@localgrad/backends';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkModel } from './layer-models/check-model.js';
import { modelSpecs } from './layer-models/specs.js';

const numRuns = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 30);
const name = process.env.LOCALGRAD_FUZZ_BACKEND || 'cpu';

const backends: BackendHandle[] = [];
beforeAll(async () => {
  // The models run on `cpu`, some of whose stock gradients are wrong.
  for (const one of ['cpu', name]) backends.push(await selectBackend(one, { threads: 1 }));
});
afterAll(async () => {
  for (const backend of backends) await backend.dispose();
});

it(`${numRuns} random models of layers predict and train with the same numbers as networks, or are refused with a LocalgradError`, async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(modelSpecs, async (spec) => {
      const outcome = await checkModel(spec, tf.getBackend());
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns, seed: Number(process.env.LOCALGRAD_FUZZ_SEED ?? 1) },
  );
  console.info(Object.fromEntries(outcomes));
  expect(outcomes.get('trained') ?? 0).toBeGreaterThan(0);
}, 0);
