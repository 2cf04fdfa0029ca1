import { describe, expect, it } from 'vitest';
import { unsupportedFile } from './load-module.js';

describe('unsupportedFile', () => {
  const unknown = Object.assign(new TypeError('Unknown file extension ".ts" for /study/own.ts'), {
    code: 'ERR_UNKNOWN_FILE_EXTENSION',
  });

  it.each(['own.ts', 'own.mts', 'own.tsx'])('tells to compile %s where Node runs no TypeScript', (file) => {
    expect(unsupportedFile(unknown, `file:///study/${file}`)).toBe(
      `Node ${process.versions.node} runs no TypeScript. Compile it first, e.g. with npx tsc, and name the .js file.`,
    );
  });

  it('is silent about other files and errors', () => {
    const other = Object.assign(new TypeError('Unknown file extension ".yaml"'), {
      code: 'ERR_UNKNOWN_FILE_EXTENSION',
    });
    expect(unsupportedFile(other, 'file:///study/own.yaml')).toBeUndefined();
    expect(unsupportedFile(new Error('it is broken'), 'file:///study/own.ts')).toBeUndefined();
  });
});
