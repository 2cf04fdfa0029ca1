import { shortened } from '@localgrad/core';
import type { YamlDocument } from '@localgrad/runs';
import type { ExperimentInput } from './experiment-schema.js';

/** Combinations of factors, grid and samples, those included that `exclude` leaves out. */
const mostCombinations = 10_000;
/** Conditions times seeds. */
const mostRuns = 100_000;

/** Rejects experiments with an implausible number of runs, before combinations are enumerated. @throws LocalgradError `invalid-data` */
export function checkCount(document: YamlDocument, input: ExperimentInput): void {
  const sizes = Object.entries({ ...input.factors, ...input.grid, ...input.tune }).map(
    ([name, values]): [string, number] => [name, Object.keys(values).length],
  );
  if (input.search !== undefined) sizes.push(['samples', input.search.samples]);
  const combinations = sizes.reduce((product, [, size]) => product * size, 1);
  const fail = (path: string, message: string): never =>
    document.fail([{ path: [path], isKey: true, isComplete: true, message }]);
  if (combinations > mostCombinations) {
    const parts = shortened(sizes.map(([name, size]) => `${name}: ${count(size)}`).join(', '));
    fail(
      input.search !== undefined ? 'search' : Object.keys(input.grid).length > 0 ? 'grid' : 'factors',
      `${count(combinations)} combinations (${parts}); allowed: ${count(mostCombinations)}. Remove values, or split the experiment into several files`,
    );
  }
  const choices = Object.values(input.tune).reduce((product, values) => product * values.length, 1);
  const conditions = combinations + input.include.length * choices;
  const seeds = typeof input.seeds === 'number' ? input.seeds : input.seeds.length;
  if (conditions * seeds > mostRuns) {
    fail(
      'seeds',
      `${count(conditions)} conditions with ${count(seeds)} seeds each are ${count(conditions * seeds)} runs; allowed: ${count(mostRuns)}. Use fewer seeds or values`,
    );
  }
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
