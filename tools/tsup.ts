import { defineConfig, type Options } from 'tsup';

/** Build configuration of all packages. */
export const library = (entry: string[] = ['src/index.ts']) => defineConfig({ ...common, entry });

/**
 * Build configuration of packages whose index has a second build for browsers, `dist/index.browser.js`: there, each module
 * `name.node.ts` is replaced by `name.browser.ts`, and importing a module of Node throws an error that says so.
 */
export const isomorphicLibrary = () => defineConfig([{ ...common, entry: ['src/index.ts'] }, browserBuild]);

/** Modules of Node, and those of ours that import them: bundlers would warn about each import of theirs. */
const nodeOnly = /^node:|^@localgrad\/(core|layers)\/(folders|downloads|files)$/;

const common: Options = {
  format: ['esm'],
  // Types are built by tools/build-types.mjs, because running the code needs none.
  dts: false,
  // Maps would not be published, and bundlers warn about files that name missing ones.
  sourcemap: false,
  clean: false,
  treeshake: true,
  target: 'node20',
  tsconfig: 'tsconfig.json',
};

export const browserBuild: Options = {
  ...common,
  entry: { 'index.browser': 'src/index.ts' },
  target: 'es2022',
  platform: 'browser',
  removeNodeProtocol: false,
  noExternal: [nodeOnly],
  esbuildPlugins: [
    {
      name: 'browser-modules',
      setup(build) {
        build.onResolve({ filter: /\.node\.js$/ }, ({ path, resolveDir }) =>
          build.resolve(path.replace(/\.node\.js$/, '.browser.js'), { resolveDir, kind: 'import-statement' }),
        );
        build.onResolve({ filter: nodeOnly }, ({ path }) => ({ path, namespace: 'node-only' }));
        build.onLoad({ filter: /.*/, namespace: 'node-only' }, ({ path }) => ({
          contents: `throw new Error(${JSON.stringify(`This function uses ${path}, which is available in Node only.`)});`,
        }));
      },
    },
  ],
};
