import { Script } from 'node:vm';
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

  it.each([
    ['own.js', /^it is an ES module, .*Rename it to own\.mjs, or write "type": "module" into its package\.json\.$/],
    ['own.cjs', /^it is an ES module, but Node takes it for CommonJS\. Rename it to own\.mjs\.$/],
  ])('names the ending of ES modules for %s', (file, message) => {
    // What Node throws for such a file.
    const parse = () => new Script("import { join } from 'node:path';");
    expect(parse).toThrow(SyntaxError);
    expect(unsupportedFile(thrownBy(parse), `file:///study/${file}`)).toMatch(message);
  });

  it.each([
    ['photos.csv', 'ERR_UNKNOWN_FILE_EXTENSION'],
    ['data.json', 'ERR_IMPORT_ATTRIBUTE_MISSING'],
    ['data.json', 'ERR_IMPORT_ASSERTION_TYPE_MISSING'],
  ])('asks for a module in place of %s', (file, code) => {
    const cause = Object.assign(new TypeError('Unknown file extension'), { code });
    expect(unsupportedFile(cause, `file:///study/${file}`)).toBe(
      `files that end in '${file.slice(file.indexOf('.'))}' are not JavaScript. Name a module that ends in .js or .mjs; it may read this file.`,
    );
  });

  it('is silent about other errors', () => {
    expect(unsupportedFile(new Error('it is broken'), 'file:///study/own.ts')).toBeUndefined();
  });
});

function thrownBy(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
