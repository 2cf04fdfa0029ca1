import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProblem } from './system-error.js';

describe('readProblem', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'read-problem-'));
    await writeFile(join(folder, 'file'), '');
    await symlink('loop', join(folder, 'loop'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    ['missing', 'it does not exist'],
    ['.', 'it is a folder; a file is required'],
    ['file/below', 'part of the path is a file, not a folder'],
    ['loop', 'the path contains a loop of symbolic links'],
    ['a'.repeat(300), 'the name is too long for the file system'],
    ['nul\0', 'the name contains a NUL character'],
  ])('explains why %j cannot be read, without system error codes', async (name, problem) => {
    const error = await readFile(join(folder, name)).catch((cause: unknown) => cause);
    expect(readProblem(error)).toBe(problem);
  });

  it('reports an empty name', async () => {
    const error = await readFile('').catch((cause: unknown) => cause);
    expect(readProblem(error)).toBe('the name is empty');
  });

  it('returns the message of any other error', () => {
    expect(readProblem(new Error('it has 2,000,000 bytes'))).toBe('it has 2,000,000 bytes');
    expect(readProblem(Object.assign(new Error('odd'), { code: 'constructor' }))).toBe('odd');
    expect(readProblem('text')).toBe('text');
  });
});
