import { describe, expect, it } from 'vitest';
import { importProblem } from './load-module.js';

describe('importProblem', () => {
  const unknown = Object.assign(new TypeError('Unknown file extension ".ts" for /study/own.ts'), {
    code: 'ERR_UNKNOWN_FILE_EXTENSION',
  });

  it.each(['own.ts', 'own.mts', 'own.tsx'])('tells to compile %s where Node runs no TypeScript', (file) => {
    expect(importProblem(unknown, `file:///study/${file}`)).toBe(
      `Node ${process.versions.node} runs no TypeScript. Compile it first, e.g. with npx tsc, and name the .js file.`,
    );
  });

  it('is the message of Node for other files and errors', () => {
    const other = Object.assign(new TypeError('Unknown file extension ".yaml"'), {
      code: 'ERR_UNKNOWN_FILE_EXTENSION',
    });
    expect(importProblem(other, 'file:///study/own.yaml')).toBe('Unknown file extension ".yaml"');
    expect(importProblem(new Error('it is broken'), 'file:///study/own.ts')).toBe('it is broken');
  });
});
