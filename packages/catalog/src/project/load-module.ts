import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LocalgradError } from '@localgrad/core';
import { resolve as resolveImport } from 'import-meta-resolve';
import { describeModule, type ExternalModule } from './external-module.js';

/** What a package or file of a project exports, and what identifies it. */
export interface LoadedModule {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly module: ExternalModule;
}

/** Names of packages have a dash or a scope and names of files a slash or a dot; those of localgrad may have dashes. */
export function isExternalName(name: string): boolean {
  return /[-/.\\]/.test(name);
}

/** By URL. Node imports a module once, so the hash belongs to the content as it was then. */
const loaded = new Map<string, Promise<LoadedModule>>();

/**
 * Imports a package or file from the user's project, not from where this program is installed: the project has its own
 * versions of the localgrad packages.
 *
 * @param label kind of thing, for messages
 * @throws LocalgradError `missing-dependency`, `invalid-option`
 */
export async function loadModule(name: string, project: string, label: string): Promise<LoadedModule> {
  const url = locate(name, project, label);
  const before = loaded.get(url);
  if (before !== undefined) return { ...(await before), module: { ...(await before).module, name } };
  const loading = importModule(name, url);
  loaded.set(url, loading);
  // What cannot be imported may be repaired and tried again.
  loading.catch(() => loaded.delete(url));
  return loading;
}

async function importModule(name: string, url: string): Promise<LoadedModule> {
  try {
    const module = await describeModule(name, url);
    return { exports: (await import(/* @vite-ignore */ url)) as LoadedModule['exports'], module };
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new LocalgradError(
      isMissing ? 'missing-dependency' : 'invalid-option',
      `'${name}' cannot be imported: ${messageOf(cause)}`,
      { name, url },
      { cause },
    );
  }
}

function locate(name: string, project: string, label: string): string {
  const where = { name, project };
  if (name.startsWith('.') || isAbsolute(name)) {
    const file = resolve(project, name);
    if (existsSync(file)) return pathToFileURL(file).href;
    const message = `There is no file '${name}' in ${project}. Paths are relative to that folder.`;
    throw new LocalgradError('missing-dependency', message, where);
  }
  try {
    // As `import` in a file of the project would: packages may offer nothing to `require`.
    return resolveImport(name, pathToFileURL(join(project, 'package.json')).href);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LocalgradError(
      'missing-dependency',
      code === 'ERR_MODULE_NOT_FOUND'
        ? `'${name}' is neither a ${label} of localgrad nor a package that is installed in ${project}. If it is a package, install it: npm install ${name}.`
        : `Package '${name}' in ${project} cannot be resolved: ${messageOf(cause)}`,
      where,
      { cause },
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
