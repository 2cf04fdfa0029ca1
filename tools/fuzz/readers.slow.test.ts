import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { findingsOf } from './check.js';
import { targetsIn } from './targets.js';

const count = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 150);
const seed = Number(process.env.LOCALGRAD_FUZZ_SEED ?? 1);
const only = process.env.LOCALGRAD_FUZZ_READER ?? '';

const folder = mkdtempSync(join(tmpdir(), 'localgrad-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const all = await targetsIn(folder);
const named = all.filter(({ name }) => name === only);
const targets = named.length > 0 ? named : all.filter(({ name }) => name.includes(only));

it.each(targets)(
  `$name: ${count} mutated inputs are read or rejected with a LocalgradError, with time and memory proportional to their size`,
  async (target) => {
    expect(await findingsOf(target, count, seed)).toEqual([]);
  },
  // Wall time would give false verdicts on a busy machine; a thread watches each input's processor time.
  0,
);
