import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-rules-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** Trains with rules for the patterns. */
async function execute(method: string, ...patterns: readonly string[]) {
  const rules = patterns.map((match) => `(match: ${match}, weightDecay: 0)`).join(', ');
  const config = runConfigSchema.parse({
    ...{ method, backbone: 'tiny', modules: 2, resize: 8, trainImages: 20, testImages: 10, batch: 10, epochs: 1 },
    ...{ backend: 'wasm', threads: 1, optimizer: rules === '' ? 'sgd' : `sgd(parameters: [${rules}])` },
  });
  const notices: string[] = [];
  const folder = mkdtempSync(join(parent, 'run-'));
  rmSync(folder, { recursive: true });
  const onProblem = (message: string) => void notices.push(message);
  const result = await executeRun({ config, folder, resume: 'auto', onProblem });
  return { notices, rules: result?.summary.rules };
}

it('a run warns about rules of its optimizer that match no weight, and its summary records what they match', async () => {
  const { notices, rules } = await execute('dgl', '*.bias', '*.baias', 'heads.*');
  expect(notices).toEqual([
    "The optimizer's rule '*.baias' matches no weight and has no effect. Names of weights start with conv1, bn1, layer1, fc, heads and end with weight, bias.",
  ]);
  expect(rules).toEqual([
    { match: '*.bias', tensors: expect.any(Number), parameters: expect.any(Number) },
    { match: '*.baias', tensors: 0, parameters: 0 },
    { match: 'heads.*', tensors: expect.any(Number), parameters: expect.any(Number) },
  ]);
});

it('a run without heads does not warn about rules for heads, nor one without rules about anything', async () => {
  const { notices, rules } = await execute('backprop', 'heads.*');
  expect(notices).toEqual([]);
  expect(rules).toEqual([{ match: 'heads.*', tensors: 0, parameters: 0 }]);
  expect(await execute('backprop')).toEqual({ notices: [], rules: undefined });
});
