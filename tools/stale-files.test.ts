import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

// By path, since programs have no types.
const { staleFiles } = await import(fileURLToPath(new URL('release/stale-files.mjs', import.meta.url)));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-stale-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

it('lists what no export and no command reaches, and keeps chunks, workers, their types and other files', () => {
  const exports = {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './heads': { types: './dist/heads/index.d.ts', default: './dist/heads/index.js' },
    './package.json': './package.json',
  };
  write({
    'package.json': JSON.stringify({ exports, bin: { command: './bin/command.js' } }),
    'bin/command.js': "import('../dist/cli.js');\n",
    'dist/index.js': "import { a } from './chunk-AAAAAAAA.js';\nnew Worker(new URL('./worker.js', import.meta.url));\n",
    'dist/index.js.map': '{}',
    'dist/index.d.ts': 'export * from "./types-AbCd1234.js";\n',
    'dist/types-AbCd1234.d.ts': 'export {};\n',
    'dist/heads/index.js': "export * from '../chunk-BBBBBBBB.js';\n",
    'dist/heads/index.d.ts': '',
    'dist/chunk-AAAAAAAA.js': 'const b = () => import("./main-BBBBBBBB.js");\n',
    'dist/chunk-AAAAAAAA.js.map': '{}',
    'dist/chunk-BBBBBBBB.js': '',
    'dist/main-BBBBBBBB.js': '',
    'dist/worker.js': '',
    'dist/worker.d.ts': '',
    'dist/cli.js': '',
    'dist/module.wasm': '',
    // Of earlier builds: the second one is named by the first.
    'dist/chunk-CCCCCCCC.js': "import './chunk-DDDDDDDD.js';\n",
    'dist/chunk-CCCCCCCC.js.map': '{}',
    'dist/chunk-DDDDDDDD.js': '',
    'dist/heads/types-Ef5678gh.d.ts': '',
  });
  expect(staleFiles(folder)).toEqual([
    join('dist', 'chunk-CCCCCCCC.js'),
    join('dist', 'chunk-CCCCCCCC.js.map'),
    join('dist', 'chunk-DDDDDDDD.js'),
    join('dist', 'heads', 'types-Ef5678gh.d.ts'),
  ]);
});

it('lists nothing of a package that is not built', () => {
  write({ 'package.json': '{}' });
  expect(staleFiles(folder)).toEqual([]);
});
