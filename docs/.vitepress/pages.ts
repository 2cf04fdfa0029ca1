import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** Root of the repository, whose Markdown files are the pages. */
export const root = resolve(import.meta.dirname, '../..');

const pagePatterns = [
  /^(README|CONTRIBUTING|SECURITY)\.md$/,
  /^docs\/.+\.md$/,
  /^(packages|apps|examples)\/([\w-]+\/){0,2}README\.md$/,
  /^benchmarks\/(?!results\/).+\.md$/,
];

/** Whether a Markdown file, named by its path from the root, is a page. */
export function isPage(path: string): boolean {
  return pagePatterns.some((pattern) => pattern.test(path));
}

/** Markdown files that are not pages, for VitePress, which otherwise takes all. */
export function excludedFiles(): string[] {
  const { stdout } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  });
  const ignoredFolders = ['localgrad-*/**', 'test-results/**', 'coverage/**'];
  return [...ignoredFolders, ...stdout.split('\0').filter((path) => path !== '' && !isPage(path))];
}

/** Path of a page in the site: pages of `docs/` are at the top, and a README is the index of its folder. */
export function sitePath(path: string): string {
  const page = path.startsWith('docs/') ? path.slice('docs/'.length) : path;
  return page.endsWith('README.md') ? `${page.slice(0, -'README.md'.length)}index.md` : page;
}

/**
 * Turns a link between files of the repository into one between pages, or into one to the repository if its target is not a
 * page. Links elsewhere are returned unchanged.
 * @param file absolute path of the file with the link
 */
export function resolveLink(link: string, file: string): string {
  if (/^([a-z][a-z+.-]*:|#|\/)/i.test(link)) return link;
  const [path = '', ...heading] = link.split('#');
  const anchor = heading.length === 0 ? '' : `#${heading.join('#')}`;
  const target = resolve(dirname(file), decodeURIComponent(path));
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  const page = relative(root, isFolder ? join(target, 'README.md') : target)
    .split(sep)
    .join('/');
  if (existsSync(join(root, page)) && isPage(page)) return `/${sitePath(page)}${anchor}`;
  if (!existsSync(target)) return link;
  return `${repository()}/${isFolder ? 'tree' : 'blob'}/main/${relative(root, target)}${anchor}`;
}

/** Address of the repository, as in the root manifest. */
export function repository(): string {
  const { repository: url } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { repository: string };
  return url.replace(/^git\+/, '').replace(/\.git$/, '');
}

/** The anchor of a heading on GitHub, so that one link works in both places. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');
}
