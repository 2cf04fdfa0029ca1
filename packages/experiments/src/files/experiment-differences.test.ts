import { expect, it } from 'vitest';
import { experimentDifferences } from './experiment-differences.js';

const text = 'name: e\nbase: { method: dgl, epochs: 2 }\ngrid: { modules: [2, 3] }\nseeds: 3\n';

it.each([
  ['comments', text, `# a comment\n${text}`],
  ['the order of keys', 'name: e\nbase: { method: dgl, epochs: 2 }\n', 'base: { epochs: 2, method: dgl }\nname: e\n'],
])('finds no difference in %s', (_, before, now) => {
  expect(experimentDifferences(before, now)).toEqual([]);
});

it('names each setting with its value in the sweep and in the file', () => {
  const now = 'name: e\nbase: { method: dgl, epochs: 5, batch: 10 }\ngrid: { modules: [2] }\n';
  expect(experimentDifferences(text, now)).toEqual([
    'base.epochs (2 in the sweep, 5 in the file)',
    'grid.modules ([2,3] in the sweep, [2] in the file)',
    'seeds (3 in the sweep, not set in the file)',
    'base.batch (not set in the sweep, 10 in the file)',
  ]);
});
