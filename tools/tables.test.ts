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

it.each([
  ['wasm', [1, 2]],
  ['tensorflow', [3]],
])('the page on backends states the range of ratios of %s in the table of steps', (backend, columns) => {
  const table = page('docs/results.md').match(/<!-- steps: begin[\s\S]*?<!-- steps: end -->/)?.[0] ?? '';
  const rows = [...table.matchAll(/^\| .*ms, .*$/gm)].map(([row]) => row.split(' | '));
  const ratios = rows.flatMap((row) => columns.map((column) => Number(/ms, ([\d.]+) ×/.exec(row[column] ?? '')?.[1])));
  const row = page('docs/backends.md').match(new RegExp(`^\\| \`${backend}\` \\| .*PyTorch.*$`, 'm'))?.[0] ?? '';
  const [, low, high] = /([\d.]+) to ([\d.]+) × PyTorch's time/.exec(row) ?? [];
  expect(ratios.length).toBe(rows.length * columns.length);
  expect(Math.min(...ratios)).toBeGreaterThanOrEqual(Number(low));
  expect(Math.max(...ratios)).toBeLessThanOrEqual(Number(high));
});
