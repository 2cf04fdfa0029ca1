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

/** The files of the browser build of a package. */
async function filesOf(name: string): Promise<string[]> {
  const source = join(import.meta.dirname, '../packages', name, 'src/index.ts');
  await build({
    ...browserBuild,
    ...{ config: false, silent: true, external: [/^@/] },
    ...{ entry: { index: source }, outDir: join(folder, name) },
  });
  return readdirSync(join(folder, name)).map((file) => readFileSync(join(folder, name, file), 'utf8'));
}

/** Everything that files import from elsewhere. */
function importsOf(files: readonly string[]): string[] {
  const imports = files.flatMap((code) =>
    [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, path = '']) => path),
  );
  return [...new Set(imports)].filter((path) => !path.startsWith('.')).sort();
}

it.each(['backends', 'catalog', 'data', 'wasm-kernels'])(
  'the browser build of %s imports no module of Node, and names no source map, as none is published',
  async (name) => {
    const files = await filesOf(name);
    const imports = importsOf(files);
    expect(imports).toContain('@localgrad/core');
    const modules = new Set([...builtinModules, '@localgrad/core/folders', '@localgrad/core/downloads']);
    expect(imports.filter((path) => path.startsWith('node:') || modules.has(path))).toEqual([]);
    expect(files.filter((code) => code.includes('sourceMappingURL'))).toEqual([]);
  },
);
