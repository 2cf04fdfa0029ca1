import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { descriptions, entryOf, type Kind, kinds, type Language, languages } from './kinds.js';
import { filesOf } from './package-files.js';

export interface PackageRequest {
  /** The folder to create; its last part is the package's name, with the one before if that is a scope, unless `name` says otherwise. */
  readonly folder: string;
  /** The package's name on npm, e.g. `@acme/localgrad-prototypes`. */
  readonly name?: string;
  /** Default `method`. */
  readonly kind?: Kind;
  /** Default `typescript`. */
  readonly language?: Language;
}

export interface CreatedPackage {
  readonly name: string;
  readonly kind: Kind;
  readonly language: Language;
  /** Absolute path. */
  readonly folder: string;
  /** Paths of the files that were written, relative to `folder`. */
  readonly files: readonly string[];
  /** How `localgrad train` takes it, once it is built. */
  readonly use: string;
}

/** A mistake in the request; its message is for the user. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

/**
 * Writes a new package into a folder that is new or empty: code, conformance test, README with the method card, changeset
 * and continuous integration. Its `npm test` passes as it is.
 *
 * @throws RequestError for a name that npm refuses, an unknown kind or language, and a folder that contains something;
 *   nothing is written then
 */
export function createPackage(request: PackageRequest): CreatedPackage {
  const { kind = 'method', language = 'typescript' } = request;
  requireOneOf('kind', kind, kinds);
  requireOneOf('language', language, languages);
  if (request.folder.trim() === '') throw new RequestError('The folder has no name: pass e.g. localgrad-prototypes.');
  const folder = resolve(request.folder);
  const name = request.name ?? nameOf(folder);
  requirePackageName(name);
  requireEmpty(folder, request.folder);
  const files = filesOf({ name, kind, language });
  for (const [path, text] of files) {
    const file = join(folder, path);
    createFolder(dirname(file));
    writeFileSync(file, text, { flag: 'wx' });
  }
  const shown = request.folder.replace(/^\.\//, '').replace(/\/+$/, '');
  const built = `${isAbsolute(shown) ? '' : './'}${shown}/${entryOf(language)}`;
  return { name, kind, language, folder, files: [...files.keys()], use: descriptions[kind].use(quoted(built)) };
}

/** `own` of `packages/own`, and `@acme/own` of `packages/@acme/own`. */
function nameOf(folder: string): string {
  const scope = basename(dirname(folder));
  return scope.startsWith('@') ? `${scope}/${basename(folder)}` : basename(folder);
}

/** Node's recursive `mkdir` never returns where the file system rejects a folder although its parent exists, as in /proc. */
function createFolder(folder: string): void {
  if (existsSync(folder)) return;
  createFolder(dirname(folder));
  mkdirSync(folder);
}

/** Quoted where an expression of localgrad requires it, escaped for the double quotes of the shell around it. */
function quoted(path: string): string {
  return /^[\w./@-]+$/.test(path) ? path : `\\"${path}\\"`;
}

function requireOneOf(what: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new RequestError(`Unknown ${what} '${value}'. Allowed: ${allowed.join(', ')}.`);
}

function requirePackageName(name: string): void {
  const isValid = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name) && name.length <= 214;
  if (isValid) return;
  throw new RequestError(
    `'${name}' is not a package name for npm: lower-case letters, digits, '-', '.' and '_' only. Pass one with --name.`,
  );
}

function requireEmpty(folder: string, asTyped: string): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new RequestError(`${asTyped} is a file. Pass a new folder.`);
  // A repository may already have been started there.
  const contents = readdirSync(folder).filter((name) => name !== '.git');
  if (contents.length > 0) throw new RequestError(`${asTyped} is not empty. Pass a new or an empty folder.`);
}
