import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '@localgrad/runs';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Cells of a row by the table's headings. */
type Row = Readonly<Record<string, string>>;

interface Card {
  readonly path: string;
  readonly backbone?: string;
  readonly partition?: 'even' | 'balanced-memory';
  /** Expression of a row's method. */
  readonly methodOf: (row: Row) => string;
}

/** Method cards that print predicted costs. */
const cards: readonly Card[] = [
  { path: 'methods/auglocal', methodOf: ({ depth }) => `auglocal(depth: ${depth})` },
  { path: 'methods/dgl', methodOf: ({ head }) => `dgl(head: ${head})` },
  { path: 'methods/greedy', methodOf: () => 'greedy' },
  { path: 'methods/hpff', methodOf: () => 'hpff' },
  { path: 'methods/infopro', methodOf: () => 'infopro' },
  { path: 'methods/mono-forward', methodOf: () => 'mono-forward' },
  { path: 'methods/dni', methodOf: () => 'dni' },
  { path: 'methods/predsim', methodOf: ({ loss }) => `predsim(loss: ${loss})` },
  { path: 'decorators/man', methodOf: () => 'man(greedy)' },
  { path: 'decorators/pff', methodOf: ({ method = '' }) => method },
  {
    ...{ path: 'decorators/lean-mlaan', backbone: 'resnet110', partition: 'balanced-memory' },
    methodOf: () => 'lean-mlaan(greedy)',
  },
];

/** Rows of the table with predicted costs. */
function rowsOf(path: string): Row[] {
  const text = readFileSync(join(root, 'packages', path, 'README.md'), 'utf8');
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.includes('| work, backprop = 1 |'));
  const cellsOf = (line = '') => line.split('|').slice(1, -1);
  const headings = cellsOf(lines[start]).map((cell) => cell.trim());
  const rows = lines.slice(start + 2, lines.indexOf('', start));
  return rows.map((line) =>
    Object.fromEntries(cellsOf(line).map((cell, index) => [headings[index], cell.trim().replaceAll('`', '')])),
  );
}

describe.each(cards)('costs on the card of $path', ({ path, backbone = 'resnet32', partition = 'even', methodOf }) => {
  it.each(rowsOf(path))('are what explain predicts: %j', { timeout: 60_000 }, async (row) => {
    // AugLocal's card is about one module per layer.
    const modules = Number(row.modules ?? 16);
    const predict = (method: string) =>
      explain({
        ...{ method, backbone, modules, partition, memory: 'residuals', seed: 1 },
        ...{ batch: 64, image: [32, 32, 3], classes: 10 },
      });
    const [{ totals }, plain] = [await predict(methodOf(row)), await predict('backprop')];
    const { work, memory } = totals.relativeToBackprop;
    const parameters = totals.parameters - plain.totals.parameters;
    const heads = row['parameters of the heads'];
    expect({
      work: work.toFixed(2),
      memory: memory.toFixed(2),
      ...(heads === undefined ? {} : { heads: parameters.toLocaleString('en-US') }),
    }).toEqual({
      work: row['work, backprop = 1'],
      memory: row['peak memory, backprop = 1'],
      ...(heads === undefined ? {} : { heads }),
    });
  });
});
