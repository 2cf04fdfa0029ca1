import { readFile } from 'node:fs/promises';
import { LocalgradError } from '@localgrad/core';
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type ConfigIssue, explainIssues } from './issues.js';

/** A YAML file that knows where everything in it stands. */
export interface YamlDocument {
  /** Plain data; an empty file is `{}`. */
  readonly value: Record<string, unknown>;
  /** Throws everything that is wrong with the file, each with `file:line:column`, in the file's order. */
  fail(issues: readonly ConfigIssue[]): never;
  /** `file:line:column` of the value at a path, or of the nearest thing above it. */
  at(path: readonly PropertyKey[]): string;
  /** Keys of the mapping at a path, in the file's order: objects put keys that are whole numbers first. */
  keysAt(path: readonly PropertyKey[]): readonly string[];
}

/** @throws LocalgradError `invalid-data` */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `Cannot read '${file}': ${(error as Error).message}.`,
      { file },
      { cause: error },
    );
  }
}

/**
 * @param file name for messages
 * @param allowedKeys of the outermost mapping, for messages
 * @throws LocalgradError `invalid-data`, with `file:line:column` before everything that is wrong
 */
export function parseYaml(text: string, file: string, allowedKeys: readonly string[]): YamlDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const fail = (messages: readonly string[]): never => {
    throw new LocalgradError('invalid-data', messages.join('\n'), { file, problems: messages });
  };
  if (document.errors.length > 0) {
    fail(document.errors.map((error) => `${at(error.pos[0])}: ${explainSyntax(error.message)}`));
  }
  const root = document.contents as Node | null;
  if (!isMap(root) && root !== null) {
    fail([`${file}:1:1: expected keys and values. Allowed keys: ${allowedKeys.join(', ')}`]);
  }
  return {
    value: (document.toJS() ?? {}) as Record<string, unknown>,
    at: (path) => at(offsetOf(root, { path, isKey: false, message: '' })),
    keysAt(path) {
      const node = document.getIn(path, true);
      return isMap(node) ? node.items.flatMap(({ key }) => (isScalar(key) ? [String(key.value)] : [])) : [];
    },
    fail(issues) {
      const placed = issues
        .map((issue) => ({ offset: offsetOf(root, issue), text: describe(issue) }))
        .sort((a, b) => a.offset - b.offset)
        .map(({ offset, text }) => `${at(offset)}: ${text}`);
      return fail([...new Set(placed)]);
    },
  };
}

/** The document's value as a schema reads it. @throws LocalgradError `invalid-data` */
export function validate<Schema extends z.ZodType>(
  document: YamlDocument,
  schema: Schema,
  allowedKeys: Parameters<typeof explainIssues>[2],
): z.output<Schema> {
  const parsed = schema.safeParse(document.value);
  if (parsed.success) return parsed.data;
  return document.fail(explainIssues(parsed.error, document.value, allowedKeys));
}

/** The parser's first line without its own position, and what usually is behind it. */
function explainSyntax(message: string): string {
  const first = message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '';
  const isColon = first.startsWith('Nested mappings');
  return isColon ? `${first}; a value with a colon in it needs quotes: method: "dgl(head: 1c2f)"` : first;
}

function describe({ path, isKey, isComplete, message }: ConfigIssue): string {
  return isKey || isComplete === true || path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

/** Offset of the key, or of the value, that an issue is about. */
function offsetOf(root: Node | null, { path, isKey }: ConfigIssue): number {
  let node: Node | null = root;
  for (const [index, key] of path.entries()) {
    if (isSeq(node)) {
      node = (node.items[Number(key)] as Node | undefined) ?? node;
      continue;
    }
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key)) as
      | Pair<Node, Node | null>
      | undefined;
    if (pair === undefined) break;
    node = isKey && index === path.length - 1 ? pair.key : pair.value;
  }
  return node?.range?.[0] ?? 0;
}
