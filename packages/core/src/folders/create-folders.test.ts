import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFolders, createFoldersSync } from './create-folders.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-folders-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Error code of creating a folder in a process of its own, which is killed if it never returns. */
function codeFrom(name: string, path: string, isWorkingFolderRemoved = false): string {
  const source = readFileSync(join(import.meta.dirname, 'create-folders.ts'), 'utf8');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  const program = `${ts.transpileModule(source, { compilerOptions }).outputText}
import { rmdirSync } from 'node:fs';
if (${isWorkingFolderRemoved}) rmdirSync(process.cwd());
try {
  await ${name}(${JSON.stringify(path)});
} catch (error) {
  process.stdout.write(error.code);
}`;
  const cwd = join(folder, 'working');
  mkdirSync(cwd);
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd,
    timeout: 20_000,
  }).stdout.toString();
}

describe.each([
  ['createFolders', createFolders],
  ['createFoldersSync', async (path: string) => createFoldersSync(path)],
])('%s', (name, create) => {
  it('creates missing parents, and returns the first one', async () => {
    expect(await create(join(folder, 'a/b/c'))).toBe(join(folder, 'a'));
    expect(statSync(join(folder, 'a/b/c')).isDirectory()).toBe(true);
    expect(await create(join(folder, 'a/b/d'))).toBe(join(folder, 'a/b/d'));
    expect(await create(join(folder, 'a/b'))).toBeUndefined();
  });

  it('fails where a file is in the way', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(create(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(create(join(folder, 'file/a'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it.runIf(process.platform === 'linux')('fails where the file system rejects folders, as in /proc', () => {
    expect(codeFrom(name, '/proc/localgrad/a/b')).toBe('ENOENT');
  });

  it.skipIf(process.platform === 'win32')('fails in a working folder that was removed', () => {
    expect(codeFrom(name, 'a/b', true)).toBe('ENOENT');
  });
});
