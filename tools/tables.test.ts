import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { benchmarks } from './benchmark-commands.fixture.js';

const page = (name: string) => readFileSync(join(benchmarks, '..', name), 'utf8');

it.each(['step-table.mjs', 'frontier-tables.mjs'])('the tables of %s are up to date', (script) => {
  const { status, stderr } = spawnSync(process.execPath, [join(benchmarks, script), '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

it('the README repeats the numbers of the table of steps', () => {
  const ratios = ['end to end', 'DGL', 'MLAAN'].map((step) => {
    const row = page('docs/results.md').match(new RegExp(`^\\| ${step}[^|]*\\| [\\d,]+ ms, ([\\d.]+ ×) `, 'm'));
    return row?.[1] ?? step;
  });
  const [endToEnd, dgl, mlaan] = ratios;
  const text = page('README.md').replaceAll(/\s+/g, ' ');
  expect(text).toContain(
    `takes ${endToEnd} the time of PyTorch 2.15 end to end, ${dgl} with DGL and ${mlaan} with MLAAN`,
  );
});
