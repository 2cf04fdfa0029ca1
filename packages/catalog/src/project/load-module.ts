import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { errorCodeOf, LocalgradError, locatedMessageOf, messageOf } from '@localgrad/core';
import { resolve as resolveImport } from 'import-meta-resolve';
import { describeModule, type ExternalModule, isPath } from './external-module.js';

/** The exports of a package or file of a project, and its identity. */
export interface LoadedModule {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly module: ExternalModule;
}

/** Whether a name may be a package (dash or scope) or file (slash or dot); names of localgrad may contain dashes too. */
export function isExternalName(name: string): boolean {
  return /[-/.\\]/.test(name);
}

/** Modules by URL. Node imports a module once, so the hash is that of the imported content. */
const loaded = new Map<string, Promise<LoadedModule>>();

/**
 * Imports a package or file from the user's project instead of the installation of this program, since the project has its
 * own versions of the localgrad packages.
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
  // After a failure, the module may be repaired and imported again.
  loading.catch(() => loaded.delete(url));
  return loading;
}

async function importModule(name: string, url: string): Promise<LoadedModule> {
  try {
    const module = await describeModule(name, url);
    const exports: LoadedModule['exports'] = await import(/* @vite-ignore */ url);
    return { exports, module };
  } catch (cause) {
    const isMissing = errorCodeOf(cause) === 'ERR_MODULE_NOT_FOUND';
    throw new LocalgradError(
      isMissing ? 'missing-dependency' : 'invalid-option',
      `'${name}' cannot be imported: ${problemOf(name, cause, url)}`,
      { name, url },
      { cause },
    );
  }
}

function problemOf(name: string, cause: unknown, url: string): string {
  const unsupported = unsupportedFile(cause, url);
  if (unsupported !== undefined) return unsupported;
  // Node does not tell programs where a file has an error of syntax.
  const text = locatedMessageOf(cause);
  const isPlaced = text !== messageOf(cause) || !(cause instanceof SyntaxError);
  return isPlaced ? text : `${text}. The command 'node --check ${name}' shows the line`;
}

/** What Node throws for a file whose ending is not that of a module. */
const notModules = [
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_IMPORT_ASSERTION_TYPE_MISSING', // before Node 22, of .json files
];

/**
 * Why Node cannot import a file that is not JavaScript, or an ES module as CommonJS, for messages; undefined for other files and
 * causes.
 */
export function unsupportedFile(cause: unknown, url: string): string | undefined {
  if (cause instanceof SyntaxError && cause.message === 'Cannot use import statement outside a module') {
    const name = url.slice(url.lastIndexOf('/') + 1);
    const other = name.endsWith('.js') ? ', or write "type": "module" into its package.json' : '';
    return `it is an ES module, but Node takes it for CommonJS. Rename it to ${name.replace(/\.\w+$/, '')}.mjs${other}.`;
  }
  if (!notModules.includes(errorCodeOf(cause) ?? '')) return undefined;
  if (/\.[mc]?tsx?$/.test(url)) {
    return `Node ${process.versions.node} runs no TypeScript. Compile it first, e.g. with npx tsc, and name the .js file.`;
  }
  const ending = /\.\w+$/.exec(url)?.[0];
  return ending === undefined
    ? undefined
    : `files that end in '${ending}' are not JavaScript. Name a module that ends in .js or .mjs; it may read this file.`;
}

function cureFor(name: string, project: string): string {
  return existsSync(resolve(project, name))
    ? `Paths start with a dot: './${name}'.`
    : `If it is a package, install it: npm install ${name}.`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The file that a folder's package exports, relative to the folder; undefined for other folders. */
function entryOf(folder: string): string | undefined {
  try {
    const real = realpathSync(folder);
    const manifest = join(real, 'package.json');
    const { name } = JSON.parse(readFileSync(manifest, 'utf8'));
    // A package's name resolves to its own entry in its own files; elsewhere, another package may have that name.
    const entry = relative(real, fileURLToPath(resolveImport(name, pathToFileURL(manifest).href)));
    return entry.startsWith('..') || isAbsolute(entry) ? undefined : entry.replaceAll('\\', '/');
  } catch {
    return undefined;
  }
}

function locate(name: string, project: string, label: string): string {
  const where = { name, project };
  if (isPath(name)) {
    const file = resolve(project, name);
    if (isFolder(file)) {
      const example = `${name.replace(/\/$/, '')}/${entryOf(file) ?? 'index.mjs'}`;
      const message = `'${name}' is a folder; a file is required, e.g. '${example}'.`;
      throw new LocalgradError('invalid-option', message, where);
    }
    if (existsSync(file)) return pathToFileURL(file).href;
    const message = `There is no file '${name}' in ${project}. Paths are relative to that folder.`;
    throw new LocalgradError('missing-dependency', message, where);
  }
  try {
    // Resolves as `import` in a file of the project does, since a package may not support `require`.
    return resolveImport(name, pathToFileURL(join(project, 'package.json')).href);
  } catch (cause) {
    throw new LocalgradError(
      'missing-dependency',
      errorCodeOf(cause) === 'ERR_MODULE_NOT_FOUND'
        ? `'${name}' is neither a ${label} of localgrad nor a package installed in ${project}. ${cureFor(name, project)}`
        : `Package '${name}' in ${project} cannot be resolved: ${messageOf(cause)}`,
      where,
      { cause },
    );
  }
}
