import { LocalgradError, shown } from '@localgrad/core';
import { issueText, type YamlDocument } from '@localgrad/runs';
import { parse } from 'yaml';
import { experimentKeys } from './experiment-schema.js';

/** A value that replaces one of an experiment file: `--set epochs=1`. */
interface Override {
  /** As the user wrote it. */
  readonly text: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * An experiment file with some of its values replaced. A path starts with a key of the file (`seeds=1`,
 * `base.epochs=1`, `factors.host.DGL=dgl`); a bare key of a run (`epochs=1`) sets it in every condition. Problems of replaced
 * values are reported with the text of the override, all others with their place in the file.
 *
 * @param texts `path=value`, with values as in YAML
 * @throws LocalgradError `invalid-option` for a text that sets nothing
 */
export function withOverrides(document: YamlDocument, texts: readonly string[]): YamlDocument {
  if (texts.length === 0) return document;
  const overrides = texts.map(overrideOf);
  const value = structuredClone(document.value);
  const places = overrides.flatMap((override) =>
    pathsOf(override, value).map((path) => {
      write(value, path, override);
      return { path, text: override.text };
    }),
  );
  const textAt = (path: readonly PropertyKey[]) =>
    places.findLast((place) => startsWith(path, place.path))?.text ??
    // A missing or wrong key beside a new value, in a mapping that only the overrides have.
    places.findLast((place) => startsWith(place.path, path) && !has(document.value, path))?.text;
  return {
    value,
    at: (path) => shownOr(textAt(path), () => document.at(path)),
    keysAt(path) {
      const isWritten = places.some((place) => startsWith(place.path, path) || startsWith(path, place.path));
      return isWritten ? Object.keys(mappingAt(value, path) ?? {}) : document.keysAt(path);
    },
    fail(issues) {
      const own = issues.flatMap((issue) => {
        const text = textAt(issue.path);
        return text === undefined ? [] : [{ issue, line: `--set ${text}: ${issueText(issue)}` }];
      });
      if (own.length === 0) return document.fail(issues);
      const lines = [...new Set(own.map(({ line }) => line))];
      const others = issues.filter((issue) => !own.some((one) => one.issue === issue));
      if (others.length > 0) lines.push(...problemsOf(() => document.fail(others)));
      throw new LocalgradError('invalid-data', lines.join('\n'), { problems: lines });
    },
  };
}

function overrideOf(text: string): Override {
  const [, path, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
  const keys = path?.split('.') ?? [];
  if (path === undefined || value === undefined || keys.includes('')) {
    throw new LocalgradError(
      'invalid-option',
      `--set ${text}: expected KEY=VALUE with a key of a run (epochs=1) or of the file (seeds=2, grid.modules=[4,8]).`,
    );
  }
  return { text, path: keys, value: yamlValueOf(text, value) };
}

/** A value as in YAML; text with a colon is text, since expressions have options: `dgl(head: 1c2f)`. */
function yamlValueOf(text: string, value: string): unknown {
  if (!/^\s*["'[{]/.test(value) && /:\s/.test(value)) return value;
  try {
    return parse(value, { maxAliasCount: 0, logLevel: 'error' }) as unknown;
  } catch (cause) {
    const [problem] = cause instanceof Error ? cause.message.split('\n') : [];
    const message = `--set ${text}: ${shown(value)} is not a YAML value: ${problem ?? ''}`;
    throw new LocalgradError('invalid-option', message, {}, { cause });
  }
}

/** Where an override goes: a bare key of a run into `base`, and into every included condition that has it. */
function pathsOf({ text, path }: Override, value: Record<string, unknown>): (readonly string[])[] {
  const [key = ''] = path;
  if (experimentKeys.includes(key)) return [path];
  if (path.length > 1) {
    throw new LocalgradError(
      'invalid-option',
      `--set ${text}: a path starts with a key of the file. Allowed: ${experimentKeys.join(', ')}.`,
    );
  }
  const list = ['grid', 'tune'].find((place) => mappingAt(value, [place, key]) !== undefined);
  if (list !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `--set ${text}: the file lists several values of '${key}' under ${list}. Use --set '${list}.${key}=[…]'.`,
    );
  }
  const included = Array.isArray(value.include) ? value.include : [];
  const paths = included.flatMap((_, index) => {
    const place = ['include', String(index), key];
    return has(value, place) ? [place] : [];
  });
  return [['base', key], ...paths];
}

function write(root: Record<string, unknown>, path: readonly string[], { text, value }: Override): void {
  const key = path.at(-1) ?? '';
  const parent = path.slice(0, -1).reduce<object | undefined>((place, name) => {
    if (place === undefined) return undefined;
    if (!Object.hasOwn(place, name) && !Array.isArray(place)) Object.assign(place, { [name]: {} });
    return mappingAt(place, [name]);
  }, root);
  if (parent === undefined || (Array.isArray(parent) && !Object.hasOwn(parent, key))) {
    throw new LocalgradError('invalid-option', `--set ${text}: there are no keys at '${path.slice(0, -1).join('.')}'.`);
  }
  Object.assign(parent, { [key]: value });
}

/** The object or list at a path; undefined if there is none. */
function mappingAt(root: unknown, path: readonly PropertyKey[]): object | undefined {
  const found = path.reduce<unknown>(
    (at, key) => (isObject(at) && Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined),
    root,
  );
  return isObject(found) ? found : undefined;
}

function has(root: unknown, path: readonly PropertyKey[]): boolean {
  const parent = mappingAt(root, path.slice(0, -1));
  const key = path.at(-1);
  return key === undefined || (parent !== undefined && Object.hasOwn(parent, key));
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function startsWith(path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean {
  return start.every((key, index) => index < path.length && String(path[index]) === String(key));
}

function shownOr(text: string | undefined, otherwise: () => string): string {
  return text === undefined ? otherwise() : `--set ${text}`;
}

function problemsOf(fail: () => never): readonly string[] {
  try {
    return fail();
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return error.message.split('\n');
  }
}
