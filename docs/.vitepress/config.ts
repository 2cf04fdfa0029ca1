import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { linksBetweenFiles, numbersOnOneLine, plansOnCards, wideFigures } from './markdown';
import { excludedFiles, repository, root, sitePath, slugOf } from './pages';
import { navigation, sidebar } from './sidebar';

const playground = join(root, 'apps/playground/dist');

/** Path of the site on its host. */
const base = process.env.DOCS_BASE ?? '/';

export default defineConfig({
  title: 'localgrad',
  description: 'Supervised local learning on TensorFlow.js: train networks in gradient-isolated modules.',
  lang: 'en-US',
  base,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}favicon.svg` }]],
  srcDir: '..',
  srcExclude: excludedFiles(),
  rewrites: sitePath,
  lastUpdated: false,
  vite: {
    define: { __HAS_PLAYGROUND__: JSON.stringify(existsSync(playground)) },
    publicDir: join(root, 'docs/public'),
    build: { chunkSizeWarningLimit: 4000 },
    server: { fs: { allow: [root] } },
  },
  markdown: {
    anchor: { slugify: slugOf },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(markdown) {
      markdown.use(linksBetweenFiles).use(numbersOnOneLine).use(wideFigures).use(plansOnCards);
    },
  },
  themeConfig: {
    nav: navigation,
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: repository() }],
    footer: { message: 'Apache-2.0' },
  },
  buildEnd({ outDir }) {
    if (existsSync(playground)) cpSync(playground, join(outDir, 'playground'), { recursive: true });
  },
});
