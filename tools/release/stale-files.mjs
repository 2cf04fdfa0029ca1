// Files of earlier builds: names of chunks contain a hash, so that a build, or turbo when it restores one, leaves those of the
// build before beside its own, and npm would pack them.
//   node tools/release/stale-files.mjs [--remove]     without --remove, lists them
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishedFolders, readManifest, root } from './manifests.mjs';

/** The code and types in `dist` that no entry point of a package reaches, with their source maps; paths within the package. */
export function staleFiles(folder) {
  const dist = join(folder, 'dist');
  if (!existsSync(dist)) return [];
  const reached = reachedFrom(entriesOf(folder));
  return readdirSync(dist, { recursive: true })
    .map((name) => join(dist, name))
    .filter((file) => /\.(js|d\.ts)(\.map)?$/.test(file) && !reached.has(file.replace(/\.map$/, '')))
    .map((file) => relative(folder, file))
    .sort();
}

/** Files that the manifest names: exports, and commands, which import from `dist`. */
function entriesOf(folder) {
  const { exports = {}, bin = {} } = readManifest(folder);
  const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(targets));
  return [...targets(exports), ...targets(bin)].map((target) => join(folder, target));
}

/** Files that others name, by import or as the address of a worker, whatever the order of evaluation. */
function reachedFrom(entries) {
  const reached = new Set();
  const add = (file) => {
    // The types of code that no export names, as of the program of a worker, belong to it.
    for (const one of [file, file.replace(/\.js$/, '.d.ts')]) if (isFile(one)) reached.add(one);
  };
  for (const entry of entries) add(entry);
  for (const file of reached) {
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/["'`](\.{1,2}\/[^"'`\n]+)["'`]/g)) {
      add(join(dirname(file), path));
    }
  }
  return reached;
}

function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isRemoving = process.argv.includes('--remove');
  const found = publishedFolders().flatMap((folder) => staleFiles(folder).map((file) => join(folder, file)));
  for (const file of found) {
    if (isRemoving) rmSync(file);
    else console.log(relative(root, file));
  }
  if (found.length > 0) console.log(`${found.length} files of earlier builds${isRemoving ? ' removed' : ''}.`);
}
