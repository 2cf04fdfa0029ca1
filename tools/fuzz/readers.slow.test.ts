import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { findingsOf } from './check.js';
import { targetsIn } from './targets.js';

const count = Number(process.env.LOCALGRAD_FUZZ_INPUTS ?? 300);
const seed = Number(process.env.LOCALGRAD_FUZZ_SEED ?? 1);
const only = process.env.LOCALGRAD_FUZZ_READER ?? '';

const folder = mkdtempSync(join(tmpdir(), 'localgrad-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const targets = (await targetsIn(folder)).filter(({ name }) => name.includes(only));

it.each(targets)(
  `$name: ${count} mutated inputs are read or rejected with a LocalgradError, with time and memory proportional to their size`,
  async (target) => {
    expect(await findingsOf(target, count, seed)).toEqual([]);
  },
  60_000 + 60 * count,
);
