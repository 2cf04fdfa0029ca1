import { defineConfig } from 'tsup';

/** The one build recipe of all packages. */
export const library = (entry: string[] = ['src/index.ts']) =>
  defineConfig({
    entry,
    format: ['esm'],
    dts: true,
    sourcemap: true,
    // JavaScript and types are built apart: what only runs needs no types.
    clean: false,
    treeshake: true,
    target: 'node20',
    tsconfig: 'tsconfig.json',
  });
