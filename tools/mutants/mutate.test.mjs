import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { obsoleteAmong, readEquivalents } from './equivalents.mjs';
import { changedText, mutantsOf } from './mutate.mjs';
import { targets } from './targets.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('changes one operator, constant, condition or statement at a time, but no types', () => {
  const text = 'const f = (a: 1 | 2) => {\n  if (a < 2) g();\n};\n';
  expect(mutantsOf('x.ts', text).map(({ after }) => after)).toEqual(
    expect.arrayContaining(['if (a <= 2) g();', 'if (a < 3) g();', 'if (true) g();', 'if (a < 2) ;']),
  );
  expect(mutantsOf('x.ts', text).every(({ line }) => line === 2)).toBe(true);
});

it('ends loops that a change made endless', () => {
  const text = 'while (a) b();';
  const [mutant] = mutantsOf('x.ts', text);
  expect(changedText('x.ts', text, mutant)).toBe('while (false) {globalThis.countMutantLoop?.();b();}');
});

it('lists only equivalent mutants that still exist', () => {
  const read = (file) => mutantsOf(file, readFileSync(join(root, file), 'utf8'));
  expect(obsoleteAmong(readEquivalents(), targets.flatMap(({ files }) => files).flatMap(read))).toEqual([]);
});
