import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { planSweep } from './plan-sweep.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-check-conditions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('names the condition and the line of an exception in a method, beside the other problems', async () => {
  const file = join(folder, 'own.mjs');
  const plan = `{ throw new Error('I am broken'); }`;
  writeFileSync(
    file,
    `export const method = () => ({ specVersion: 'v1', name: 'own', config: { method: 'own' }, plan() ${plan} });`,
  );
  const text = `name: e
base: { method: "{of}", backbone: tiny, modules: 2, resize: 8, trainImages: 40, testImages: 20, epochs: 1, batch: 20, backend: cpu }
factors: { of: { ours: ${JSON.stringify(file)}, greedy: greedy } }
include:
  - { name: large, method: greedy, batch: 64 }
seeds: 1
`;
  writeFileSync(join(folder, 'e.yaml'), text);
  const planned = planSweep({ file: join(folder, 'e.yaml'), folder: join(folder, 'sweep') });
  const message: string = await planned.then(
    () => expect.unreachable(),
    (error: Error) => error.message,
  );
  expect(message.split('\n')).toEqual([
    expect.stringMatching(
      /e\.yaml:\d+:\d+: condition 'ours' cannot run: Method 'own': plan failed: I am broken \(own\.mjs:1:\d+\)$/,
    ),
    expect.stringMatching(/e\.yaml:5:\d+: condition 'large' cannot run: batch: 64; allowed: /),
  ]);
}, 60_000);
