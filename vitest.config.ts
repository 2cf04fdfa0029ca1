import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Tests see the sources of all packages, not their builds. */
function sourceAliases(): Record<string, string> {
  const root = import.meta.dirname;
  const folders = ['packages', 'packages/methods', 'packages/decorators'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  );
  const aliases: Record<string, string> = {};
  for (const folder of folders) {
    const manifest = join(folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string };
    aliases[name] = join(folder, 'src/index.ts');
  }
  return aliases;
}

/** `*.slow.test.ts` run with `npm run test:all`, and in continuous integration. */
const slowTests = process.env.LOCALGRAD_TESTS === 'all' ? [] : ['**/*.slow.test.ts'];

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: [
      'packages/**/src/**/*.test.{ts,tsx}',
      'apps/**/src/**/*.test.{ts,tsx}',
      'tests/*/*.test.ts',
      'tools/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', ...slowTests],
    pool: 'forks',
    // Vitest would leave a core idle.
    maxWorkers: availableParallelism(),
    setupFiles: ['tools/vitest-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
