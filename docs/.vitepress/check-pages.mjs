// Opens the built site in Chromium: axe finds nothing, and no page is wider than its screen.
//   node docs/.vitepress/check-pages.mjs [--all] [--screenshots FOLDER] [PAGE …]     default: a page of each kind
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';

const site = join(dirname(fileURLToPath(import.meta.url)), 'dist');
const { values, positionals } = parseArgs({
  options: { all: { type: 'boolean', default: false }, screenshots: { type: 'string' } },
  allowPositionals: true,
});
const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const chromium = candidates.find((path) => path !== undefined && path !== '' && existsSync(path));
if (chromium === undefined) {
  console.warn('SKIPPED: no Chromium to open the pages in. Install one or set CHROMIUM to its path.');
  process.exit(0);
}
/** Colors are all that differs between light and dark. On a phone, only the width is checked. */
const looks = [
  { look: 'light', width: 1280, scheme: 'light', options: {} },
  { look: 'dark', width: 1280, scheme: 'dark', options: { runOnly: ['color-contrast'] } },
  { look: 'phone', width: 375, scheme: 'light' },
];
/** As many as processor cores, at most 4: pages are checked side by side. */
const tabs = Math.min(4, availableParallelism());
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const all = readdirSync(site, { recursive: true })
  .map((name) => name.split(sep).join('/'))
  .filter((name) => name.endsWith('.html') && !name.startsWith('playground/'));
const kinds = [
  ...[
    'index',
    'local-learning',
    'memory',
    'results',
    'troubleshooting',
    'playground',
    'methods/dgl',
    'decisions/index',
  ],
  ...['packages/methods/dgl/index', 'apps/benchmark/index', 'api/@localgrad/train'],
].map((name) => `${name}.html`);
const pages = positionals.length > 0 ? positionals : values.all ? all : kinds;

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
  const file = join(site, path.endsWith('/') ? `${path}index.html` : path);
  if (!file.startsWith(site) || !existsSync(file)) return response.writeHead(404).end();
  return response
    .writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
    .end(readFileSync(file));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}`;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox'] });
let problems = 0;
const left = [...pages];
await Promise.all(Array.from({ length: tabs }, checkPages));
await browser.close();
server.close();
console.log(`${pages.length} pages in ${looks.length} looks, ${problems} problems.`);
process.exit(problems === 0 ? 0 : 1);

function report(problem) {
  console.error(problem);
  problems++;
}

/** Checks pages until none is left, in a window of its own: hidden tabs are not drawn, and do not follow their look. */
async function checkPages() {
  const tab = await (await browser.createBrowserContext()).newPage();
  tab.on('pageerror', (error) => report(`${tab.url()}: ${error.message}`));
  for (let page = left.shift(); page !== undefined; page = left.shift()) await check(tab, page);
  await tab.close();
}

/** A page is loaded once; it follows changes of its look. */
async function check(tab, page) {
  for (const [index, { look, width, scheme, options }] of looks.entries()) {
    await tab.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    await tab.setViewport({ width, height: 900 });
    if (index === 0) {
      await tab.goto(`${address}/${page}`, { waitUntil: 'load' });
      await tab.evaluate(axe);
    }
    await tab.waitForFunction(
      (isDark) => document.documentElement.classList.contains('dark') === isDark,
      {},
      scheme === 'dark',
    );
    if (options !== undefined) {
      const { violations } = await tab.evaluate((given) => globalThis.axe.run(document, given), options);
      for (const { id, nodes } of violations) report(`${page}, ${look}: ${id}: ${nodes[0].html.slice(0, 160)}`);
    }
    const extent = await tab.evaluate(() => document.documentElement.scrollWidth);
    if (extent > width) report(`${page}, ${look}: is ${extent} pixels wide on a screen of ${width}`);
    if (values.screenshots !== undefined) {
      const name = page.replaceAll('/', '-').replace('.html', '');
      await tab.screenshot({ path: join(values.screenshots, `${name}-${look}.png`), fullPage: true });
    }
  }
}
