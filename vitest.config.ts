import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import LongFilesFirst from './tools/vitest-sequencer.ts';

interface Manifest {
  name: string;
  exports: Record<string, string | { default: string }>;
}

/** Tests see the sources of all packages, not their builds. */
function sourceAliases(): { find: RegExp; replacement: string }[] {
  const root = import.meta.dirname;
  const folders = ['packages', 'packages/methods', 'packages/decorators'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  );
  return folders
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .flatMap((folder) => {
      const { name, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
      return Object.entries(exports).flatMap(([subpath, target]) => {
        if (typeof target === 'string') return [];
        const source = target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
        return [{ find: new RegExp(`^${name}${subpath.slice(1)}$`), replacement: join(folder, source) }];
      });
    });
}

/** `*.slow.test.ts` run with `npm run test:all`, and in continuous integration. */
const slowTests = process.env.LOCALGRAD_TESTS === 'all' ? [] : ['**/*.slow.test.ts'];

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: [
      'packages/**/src/**/*.test.{ts,tsx}',
      'apps/**/src/**/*.test.{ts,tsx}',
      'apps/*/templates/**/*.test.ts',
      'tests/*/*.test.ts',
      'tools/**/*.test.{ts,mjs}',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', ...slowTests],
    pool: 'forks',
    // Starting a process with TensorFlow.js for each file took a quarter of the time. The files of a worker share its modules.
    isolate: false,
    // Vitest would leave a core idle.
    maxWorkers: availableParallelism(),
    globalSetup: ['tools/vitest-temporary.ts'],
    setupFiles: ['tools/vitest-setup.ts'],
    sequence: { sequencer: LongFilesFirst },
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
