import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'tsup';

const root = join(import.meta.dirname, '../../..');

/** Bundles the sources of programs, since threads and processes of Node do not run TypeScript. `remove` deletes the bundles. */
export async function bundlePrograms<Name extends string>(
  sources: Readonly<Record<Name, string>>,
): Promise<{ urlOf(name: Name): URL; remove(): void }> {
  // Within the repository, so that the bundle finds TensorFlow.js.
  const parent = join(root, 'node_modules/.cache/localgrad-tests');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'program-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  await build({
    entry: { ...sources },
    outDir: folder,
    format: ['esm'],
    target: 'node20',
    tsconfig: join(root, 'tsconfig.json'),
    noExternal: [/^@localgrad\//],
    external: [/^@tensorflow\//],
    config: false,
    silent: true,
    clean: false,
  });
  return {
    urlOf: (name) => pathToFileURL(join(folder, `${name}.js`)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Bundles one program. */
export async function bundleProgram(source: string): Promise<{ program: URL; remove(): void }> {
  const { urlOf, remove } = await bundlePrograms({ program: source });
  return { program: urlOf('program'), remove };
}
