import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Finds the folder of an optional package: in the user's project (the working directory and its parents), else next to
 * this package. Undefined if it is not installed, and in browsers. Checks the file system directly, because Node caches
 * failed resolutions.
 */
export async function findOptional(name: string): Promise<string | undefined> {
  for (const base of [process.cwd(), dirname(fileURLToPath(import.meta.url))]) {
    for (let folder = base; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', ...name.split('/'));
      if (existsSync(join(candidate, 'package.json'))) return candidate;
      if (folder === dirname(folder)) break;
    }
  }
  return undefined;
}

/** URL of an installed optional package's entry file; undefined if `findOptional` does not find it. */
export async function entryOf(name: string): Promise<string | undefined> {
  const folder = await findOptional(name);
  if (folder === undefined) return undefined;
  return pathToFileURL(createRequire(import.meta.url).resolve(folder)).href;
}

/**
 * Imports an optional package from the folder found by `findOptional`, so that it shares the project's TensorFlow.js.
 */
export async function importOptional<Module>(name: string): Promise<Module | undefined> {
  const entry = await entryOf(name);
  return entry === undefined ? undefined : import(/* @vite-ignore */ entry);
}
