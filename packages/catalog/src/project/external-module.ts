import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A package or file outside of localgrad that a run uses. */
export interface ExternalModule {
  /** As written: `acme-localgrad-own`, `./own.mjs`. */
  readonly name: string;
  readonly kind: 'package' | 'file';
  /** Version of the package; null for files. */
  readonly version: string | null;
  /** SHA-256 of its content: all files of the package, or the file and the files that it imports by relative paths. */
  readonly hash: string;
}

/**
 * Whether a name is a path, not a package: it starts with a dot, a slash of either kind, or a drive of Windows, `C:/own.mjs`, on every
 * system, since elsewhere that would be taken for a URL.
 */
export function isPath(name: string): boolean {
  return name.startsWith('.') || win32.isAbsolute(name);
}

/** Describes a package or file. @param url its resolved location */
export async function describeModule(name: string, url: string): Promise<ExternalModule> {
  const entry = await realpath(fileURLToPath(url));
  if (isPath(name)) {
    return { name, kind: 'file', version: null, hash: await hashOfFiles(dirname(entry), await importedFiles(entry)) };
  }
  const { root, manifest } = await packageOf(entry);
  return {
    name,
    kind: 'package',
    version: typeof manifest.version === 'string' ? manifest.version : null,
    hash: await hashOfFiles(root, await packageFiles(root)),
  };
}

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
}

/** The nearest folder with a named package.json: folders inside a package may have one that only sets `type`. */
async function packageOf(file: string): Promise<{ readonly root: string; readonly manifest: Manifest }> {
  let folder = dirname(file);
  while (dirname(folder) !== folder) {
    const path = join(folder, 'package.json');
    const manifest: Manifest = existsSync(path) ? JSON.parse(await readFile(path, 'utf8')) : {};
    if (manifest.name !== undefined) return { root: folder, manifest };
    folder = dirname(folder);
  }
  return { root: dirname(file), manifest: {} };
}

async function packageFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry) => {
      const path = join(root, entry.name);
      if (entry.isDirectory()) return /^(node_modules|\.git)$/.test(entry.name) ? [] : packageFiles(path);
      return entry.isFile() ? [path] : [];
    }),
  );
  return nested.flat();
}

const relativeImport = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"](\.{1,2}\/[^'"\n]+)['"]/g;

/** A file and all files that it imports by relative paths, directly or indirectly. */
async function importedFiles(entry: string): Promise<string[]> {
  const found = new Set([entry]);
  // The set grows while it is iterated; each file is visited once.
  for (const file of found) {
    const text = await readFile(file, 'utf8');
    for (const [, specifier = ''] of text.matchAll(relativeImport)) {
      const target = resolve(dirname(file), decodeURIComponent(specifier.replace(/[?#].*$/, '')));
      if (existsSync(target)) found.add(target);
    }
  }
  return [...found];
}

async function hashOfFiles(root: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  const named = files.map((file) => [relative(root, file).replaceAll(sep, '/'), file] as const);
  for (const [name, file] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const content = await readFile(file);
    // With lengths, two files cannot have the same hash as their concatenation.
    hash.update(`${name.length} ${name} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}
