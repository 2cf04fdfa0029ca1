import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { checkPlacement } from './check-placement.js';
import { runConfigs } from './run-configs.js';

const numRuns = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 4);
const seed = Number(process.env.LOCALGRAD_FUZZ_SEED ?? 1);

const folder = mkdtempSync(join(tmpdir(), 'localgrad-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const workers = fc.record({
  interruption: fc.double({ min: 0, max: 0.999, noNaN: true }),
  cuts: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }).filter((cuts) => cuts.includes(true)),
});

it(`${numRuns} random configs of runs end with the same weights in one process and on workers that resume them`, async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(runConfigs, workers, async (config, given) => {
      const outcome = await checkPlacement({ ...config, backend: 'wasm' }, given, folder);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns, seed },
  );
  console.info(Object.fromEntries(outcomes));
  expect(outcomes.get('trained') ?? 0).toBeGreaterThan(0);
}, 0);
