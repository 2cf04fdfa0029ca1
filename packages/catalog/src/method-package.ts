import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LocalgradError, type LocalLearningMethod } from '@localgrad/core';
import { resolve } from 'import-meta-resolve';
import type { DecoratorFactory, MethodFactory } from './methods.js';

/** What a package of somebody else offers: a method, a decorator or both. */
export interface MethodPackage {
  readonly method?: MethodFactory;
  readonly decorator?: DecoratorFactory;
}

const contract =
  "allowed: a default export or 'method', (options) => LocalLearningMethod, and 'decorator', (of, options) => LocalLearningMethod";

/** Our own names have neither scopes nor dashes, so that names with them are packages', and paths are files. */
export function isPackageName(name: string): boolean {
  return /[-/.]/.test(name);
}

/**
 * Imports a method from the user's project, not from where this program is installed: that is where its versions of the
 * localgrad packages are.
 *
 * @param name npm package or a file relative to the project (`./own-method.mjs`)
 * @param project folder from which `name` is resolved
 * @throws LocalgradError `missing-dependency`, `invalid-option`
 */
export async function loadMethodPackage(name: string, project: string = process.cwd()): Promise<MethodPackage> {
  const url = locate(name, project);
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = (await import(/* @vite-ignore */ url)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new LocalgradError(
      isMissing ? 'missing-dependency' : 'invalid-option',
      `Method package '${name}' (${url}) cannot be imported: ${messageOf(cause)}`,
      { name, url },
      { cause },
    );
  }
  const method = functionOf(exports.method) ?? functionOf(exports.default);
  const decorator = functionOf(exports.decorator);
  if (method === undefined && decorator === undefined) {
    const found = Object.keys(exports).join(', ') || 'nothing';
    throw new LocalgradError('invalid-option', `Method package '${name}' exports ${found}; ${contract}.`, {
      name,
      url,
      exports: Object.keys(exports),
    });
  }
  return {
    ...(method === undefined ? {} : { method: (options) => checked(name, method(options)) }),
    ...(decorator === undefined ? {} : { decorator: (of, options) => checked(name, decorator(of, options)) }),
  };
}

function locate(name: string, project: string): string {
  const parent = pathToFileURL(join(project, 'package.json')).href;
  try {
    // As `import` in a file of the project would: packages may offer nothing to `require`.
    return resolve(name, parent);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const isFile = name.startsWith('.') || name.startsWith('/');
    const cure = isFile ? 'Paths are relative to that folder.' : `Install it there: npm install ${name}.`;
    throw new LocalgradError(
      'missing-dependency',
      code === 'ERR_MODULE_NOT_FOUND'
        ? `Method '${name}' is none of ours, and no such ${isFile ? 'file' : 'package'} is in ${project}. ${cure}`
        : `Method package '${name}' in ${project} cannot be resolved: ${messageOf(cause)}`,
      { name, project },
      { cause },
    );
  }
}

type AnyFunction = (...values: readonly unknown[]) => unknown;

function functionOf(value: unknown): AnyFunction | undefined {
  return typeof value === 'function' ? (value as AnyFunction) : undefined;
}

function checked(name: string, made: unknown): LocalLearningMethod {
  const { specVersion, plan, name: own, config } = (made ?? {}) as Partial<Record<keyof LocalLearningMethod, unknown>>;
  const isMethod = typeof plan === 'function' && typeof own === 'string' && typeof config === 'object';
  if (!isMethod || specVersion !== 'v1') {
    const found = isMethod ? `a method of specVersion '${String(specVersion)}'` : 'no method';
    throw new LocalgradError(
      'invalid-option',
      `Method package '${name}' makes ${found}; allowed: { specVersion: 'v1', name, config, plan(network) }, perhaps in another version of the package.`,
      { name, specVersion },
    );
  }
  return made as LocalLearningMethod;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
