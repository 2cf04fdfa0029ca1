// Checks the built site: every internal link, image and script leads to a file, and every anchor to an element.
//   node docs/.vitepress/check-links.mjs
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const site = join(dirname(fileURLToPath(import.meta.url)), 'dist');
const base = process.env.DOCS_BASE ?? '/';
const pages = readdirSync(site, { recursive: true })
  .map((name) => name.split(sep).join('/'))
  .filter((name) => name.endsWith('.html') && !name.startsWith('playground/'));
const idsOf = new Map();

const problems = pages.flatMap((page) => {
  const targets = new Set([...html(page).matchAll(/\s(?:href|src)="([^"]*)"/g)].map(([, target]) => target));
  return [...targets].flatMap((target) => problemOf(page, target.replaceAll('&amp;', '&')) ?? []);
});
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${problems.length} broken links.`);
process.exit(problems.length === 0 ? 0 : 1);

function html(page) {
  // Code samples are text.
  return readFileSync(join(site, page), 'utf8').replace(/<pre[\s\S]*?<\/pre>/g, '');
}

/** @returns what is wrong with a link, or undefined */
function problemOf(page, target) {
  if (/^([a-z][a-z+.-]*:|\/\/)/i.test(target)) return undefined;
  const [path = '', anchor] = target.split('#');
  const from = `${base}${page}`;
  const address = path === '' ? from : posix.resolve(posix.dirname(from), decodeURIComponent(path));
  const name = address.startsWith(base) || `${address}/` === base ? address.slice(base.length) : undefined;
  const file = name === undefined ? undefined : fileOf(path.endsWith('/') ? join(name, 'index.html') : name);
  if (file === undefined) return `${page}: '${target}' leads nowhere`;
  if (anchor === undefined || anchor === '' || !file.endsWith('.html')) return undefined;
  return ids(file).has(decodeURIComponent(anchor)) ? undefined : `${page}: '${target}' has no such anchor`;
}

function fileOf(name) {
  const path = resolve(site, name);
  return existsSync(path) && statSync(path).isFile() ? relative(site, path).split(sep).join('/') : undefined;
}

function ids(page) {
  if (!idsOf.has(page)) {
    idsOf.set(page, new Set([...html(page).matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)));
  }
  return idsOf.get(page);
}
