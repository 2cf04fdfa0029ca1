import path, { type PlatformPath } from 'node:path';

/**
 * Address of a folder, relative to that of a page; null for one outside the page's surroundings, e.g. on another drive: the page may be
 * read on machines without it.
 *
 * @param paths rules for paths; default: those of this system
 */
export function relativeAddress(page: string, folder: string, paths: PlatformPath = path): string | null {
  const way = paths.relative(page, paths.resolve(folder));
  const parts = way.split(paths.sep);
  if (paths.isAbsolute(way) || parts.filter((part) => part === '..').length > 1) return null;
  const address = parts.map(encodeURIComponent).join('/');
  return address.startsWith('.') ? address : `./${address}`;
}
