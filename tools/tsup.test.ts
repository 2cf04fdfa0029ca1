import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsup';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { browserBuild } from './tsup.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-browser-build-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Everything that the files of the browser build of a package import from elsewhere. */
async function importsOf(name: string): Promise<string[]> {
  const source = join(import.meta.dirname, '../packages', name, 'src/index.ts');
  await build({
    ...browserBuild,
    ...{ config: false, silent: true, sourcemap: false, external: [/^@/] },
    ...{ entry: { index: source }, outDir: join(folder, name) },
  });
  const imports = readdirSync(join(folder, name)).flatMap((file) => {
    const code = readFileSync(join(folder, name, file), 'utf8');
    return [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, path = '']) => path);
  });
  return [...new Set(imports)].filter((path) => !path.startsWith('.')).sort();
}

it.each(['backends', 'catalog', 'data', 'wasm-kernels'])(
  'the browser build of %s imports no module of Node',
  async (name) => {
    const imports = await importsOf(name);
    expect(imports).toContain('@localgrad/core');
    const modules = new Set([...builtinModules, '@localgrad/core/folders', '@localgrad/core/downloads']);
    expect(imports.filter((path) => path.startsWith('node:') || modules.has(path))).toEqual([]);
  },
);
