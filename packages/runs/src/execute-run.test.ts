import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

it('summarizes the weight of each loss at the end of training', async () => {
  const config = runConfigSchema.parse({
    backbone: 'tiny',
    modules: 2,
    resize: 8,
    trainImages: 40,
    testImages: 20,
    batch: 20,
    epochs: 1,
    method: 'mlm(greedy, independentWeight: 1..0.25)',
    backend: 'cpu',
  });
  const folder = join(await mkdtemp(join(tmpdir(), 'localgrad-run-')), 'run');
  const result = await executeRun({ config, folder, resume: 'never' });
  const weights = result?.summary.objectives.map(({ role, weight }) => `${role} ${weight}`);
  expect(new Set(weights)).toEqual(new Set(['independent 0.25', 'final 0.25', 'cascaded 0.999']));
});
