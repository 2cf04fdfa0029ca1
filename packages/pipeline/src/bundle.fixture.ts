import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'tsup';

const root = join(import.meta.dirname, '../../..');

/** Bundles the sources of a worker's program, since threads of Node do not run TypeScript. `remove` deletes the bundle. */
export async function bundleProgram(source: string): Promise<{ program: URL; remove(): void }> {
  // Within the repository, so that the bundle finds TensorFlow.js.
  const parent = join(root, 'node_modules/.cache/localgrad-tests');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'program-'));
  await build({
    entry: { program: source },
    outDir: folder,
    format: ['esm'],
    target: 'node20',
    tsconfig: join(root, 'tsconfig.json'),
    noExternal: [/^@localgrad\//],
    external: [/^@tensorflow\//],
    config: false,
    silent: true,
    clean: false,
    outExtension: () => ({ js: '.mjs' }),
  });
  return {
    program: pathToFileURL(join(folder, 'program.mjs')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
