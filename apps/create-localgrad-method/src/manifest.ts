import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { descriptions, entryOf } from './kinds.js';
import type { PackageDescription } from './package-description.js';

/** The `package.json` of the new package. */
export function manifestOf({ name, kind, language }: PackageDescription): object {
  const { noun, imports, tests } = descriptions[kind];
  const isTypeScript = language === 'typescript';
  const localgrad = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => rangeOf(`@localgrad/${name}`)));
  const peers = { ...localgrad(imports), '@tensorflow/tfjs': '^4.22.0' };
  const entry = `./${entryOf(language)}`;
  const tools = {
    '@changesets/cli': '^2.31.0',
    ...(isTypeScript ? { typescript: '^5.9.0' } : {}),
    vitest: '^4.1.0',
  };
  return {
    name,
    version: '0.0.0',
    description: `A ${noun} for localgrad.`,
    license: 'Apache-2.0',
    keywords: ['localgrad', 'local-learning', 'tensorflow.js'],
    type: 'module',
    sideEffects: false,
    exports: {
      '.': isTypeScript ? { types: './dist/index.d.ts', default: entry } : entry,
      './package.json': './package.json',
    },
    files: isTypeScript ? ['dist', 'CHANGELOG.md'] : ['src', '!src/**/*.test.js', 'CHANGELOG.md'],
    engines: { node: '>=20.19' },
    scripts: {
      ...(isTypeScript ? { build: 'tsc -p tsconfig.build.json', typecheck: 'tsc -p .' } : {}),
      test: 'vitest run',
      ...(isTypeScript ? { prepublishOnly: 'npm run build' } : {}),
    },
    peerDependencies: peers,
    devDependencies: sorted({ ...localgrad([...imports, ...tests]), '@tensorflow/tfjs': '4.22.0', ...tools }),
  };
}

/** The range that this package itself was tested with. */
function rangeOf(name: string): readonly [string, string] {
  const manifest = readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8');
  const { devDependencies }: { devDependencies: Record<string, string> } = JSON.parse(manifest);
  const range = devDependencies[name];
  if (range === undefined) throw new Error(`${name} is missing in this package's devDependencies`);
  return [name, range];
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
