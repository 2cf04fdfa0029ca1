import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { checkRun } from './check-run.js';
import { runConfigs } from './run-configs.js';

const numRuns = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 4);
const seed = Number(process.env.LOCALGRAD_FUZZ_SEED ?? 1);
const backend = process.env.LOCALGRAD_FUZZ_BACKEND ?? 'wasm';

const folder = mkdtempSync(join(tmpdir(), 'localgrad-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(`${numRuns} random configs of runs train, resume and evaluate with the same numbers, or are refused with a LocalgradError`, async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(runConfigs, fc.double({ min: 0, max: 0.999, noNaN: true }), async (config, interruption) => {
      const outcome = await checkRun({ ...config, backend }, interruption, folder);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns, seed },
  );
  console.info(Object.fromEntries(outcomes));
  expect(outcomes.get('trained') ?? 0).toBeGreaterThan(0);
}, 0);
