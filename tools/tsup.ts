import { defineConfig } from 'tsup';

/** Build configuration of all packages. */
export const library = (entry: string[] = ['src/index.ts']) =>
  defineConfig({
    entry,
    format: ['esm'],
    dts: true,
    sourcemap: true,
    // JavaScript and types are built separately, because running the code needs no types.
    clean: false,
    treeshake: true,
    target: 'node20',
    tsconfig: 'tsconfig.json',
  });
