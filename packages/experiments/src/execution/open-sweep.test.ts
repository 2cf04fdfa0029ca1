import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSweep } from './open-sweep.js';
import { prepareSweep } from './prepare-sweep.js';

const before = process.cwd();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-open-'));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

const write = (epochs: number) =>
  writeFileSync('e.yaml', `name: e\nbase: { method: dgl, backbone: tiny, modules: 2, epochs: ${epochs} }\nseeds: 1\n`);

it('reports what has changed in the file since its sweep was written, and returns the sweep as it is', async () => {
  write(2);
  await prepareSweep({ file: 'e.yaml' });
  const problems: string[] = [];
  const open = (path: string, overrides?: string[]) => openSweep(path, overrides, (text) => void problems.push(text));
  await open('e.yaml');
  expect(problems).toEqual([]);
  write(5);
  const { conditions } = await open('e.yaml');
  expect(conditions[0]?.config.epochs).toBe(2);
  expect(problems).toEqual([
    `'e.yaml' has changed since its sweep in '${join('localgrad-sweeps', 'e')}' was written: base.epochs (2 in the sweep, 5 in the file). The sweep does not have these changes; 'localgrad sweep run e.yaml' applies them.`,
  ]);
  problems.length = 0;
  await open(join('localgrad-sweeps', 'e'));
  expect(problems).toEqual([]);
});

it('names the --set of a sweep with other values than its file', async () => {
  write(2);
  await prepareSweep({ file: 'e.yaml', overrides: ['seeds=2', 'epochs=1'] });
  writeFileSync(
    'e.yaml',
    'name: e\ntitle: New\nbase: { method: dgl, backbone: tiny, modules: 2, epochs: 2 }\nseeds: 1\n',
  );
  const problems: string[] = [];
  await openSweep('e.yaml', ['seeds=2', 'epochs=1'], (text) => void problems.push(text));
  expect(problems).toEqual([
    expect.stringMatching(
      /title \(not set in the sweep, 'New' in the file\)\. .* 'localgrad sweep run e\.yaml --set seeds=2 --set epochs=1' applies them/,
    ),
  ]);
});
