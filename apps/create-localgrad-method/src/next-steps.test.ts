import { describe, expect, it } from 'vitest';
import type { CreatedPackage } from './create-package.js';
import { nextSteps } from './next-steps.js';

const created = (folder: string, language: CreatedPackage['language'] = 'javascript'): CreatedPackage => ({
  ...{ name: 'own', kind: 'method', language, folder, files: [] },
  use: '--method ./own/src/index.js',
});
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim());

describe('nextSteps', () => {
  it('enters the folder, and leaves it to train', () => {
    expect(linesOf(nextSteps(created('/work/own'), 'own', '/work'))).toEqual([
      'Next:',
      'cd own',
      'npm install',
      'npm test               # passes already; then make src/index.js yours',
      'cd .. && npx localgrad train --modules 4 --method ./own/src/index.js',
    ]);
  });

  it('builds TypeScript', () => {
    expect(nextSteps(created('/work/own', 'typescript'), 'own', '/work')).toContain(
      'src/index.ts yours\n  npm run build          # into dist/\n  cd .. && ',
    );
  });

  it.each([
    ['/work/@acme/own', '@acme/own', 'cd @acme/own', 'cd ../.. && '],
    ['/work/my own', 'my own', 'cd "my own"', 'cd .. && '],
    ['/other/own', '/other/own', 'cd /other/own', 'cd ../../work && '],
  ])('returns from %s to where the package was created', (folder, asTyped, enter, leave) => {
    const lines = linesOf(nextSteps(created(folder), asTyped, '/work'));
    expect(lines[1]).toBe(enter);
    expect(lines.at(-1)).toMatch(new RegExp(`^${leave}npx`));
  });

  it('changes no folder where the package is created in place', () => {
    const lines = linesOf(nextSteps(created('/work'), '.', '/work'));
    expect(lines.slice(0, 2)).toEqual(['Next:', 'npm install']);
    expect(lines.at(-1)).toMatch(/^npx localgrad/);
  });
});
