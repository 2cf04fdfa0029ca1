import { defineConfig } from 'tsup';

/** The one build recipe of all packages. */
export const library = (entry: string[] = ['src/index.ts']) =>
  defineConfig({
    entry,
    format: ['esm'],
    dts: true,
    sourcemap: true,
    clean: true,
    treeshake: true,
    target: 'node20',
    tsconfig: 'tsconfig.json',
  });
