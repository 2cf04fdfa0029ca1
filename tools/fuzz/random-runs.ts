import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeLabelMaps } from './label-map-folder.js';
import { labelMapConfigs, runConfigs } from './run-configs.js';

/** Number of random configs. */
export const numRuns = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 4);

/** The share of a run's steps after which it is interrupted. */
export const interruptions = fc.double({ min: 0, max: 0.999, noNaN: true });

/**
 * A test that checks random configs of runs in a folder of its own, of which at least one has to train.
 *
 * @param given what a check needs besides the config
 * @param check returns what the run did, and throws where a law does not hold
 */
export function testRandomRuns<Given>(
  title: string,
  given: fc.Arbitrary<Given>,
  check: (config: Readonly<Record<string, unknown>>, given: Given, folder: string) => Promise<string>,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-fuzz-'));
  const maps = join(folder, 'label-maps');
  beforeAll(() => writeLabelMaps(maps));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const configs = fc.oneof({ weight: 4, arbitrary: runConfigs }, { weight: 1, arbitrary: labelMapConfigs(maps) });

  it(title, async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(configs, given, async (config, own) => {
        const outcome = await check(config, own, folder);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns, seed: Number(process.env.LOCALGRAD_FUZZ_SEED ?? 2) },
    );
    console.info(Object.fromEntries(outcomes));
    expect(outcomes.get('trained') ?? 0).toBeGreaterThan(0);
  }, 0);
}
