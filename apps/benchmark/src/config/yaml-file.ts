import { readFile } from 'node:fs/promises';
import { LocalgradError } from '@localgrad/core';
import { isMap, isScalar, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { type ConfigIssue, explainIssues } from './issues.js';
import { runConfigKeys, runConfigSchema } from './run-config.js';

/**
 * Reads a run's YAML file. Defaults are not filled in.
 *
 * @throws LocalgradError `invalid-data`, with `file:line:column` before everything that is wrong
 */
export async function readRunFile(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `Cannot read '${file}': ${(error as Error).message}.`,
      { file },
      { cause: error },
    );
  }
  return parseRunFile(text, file);
}

/** @param file name for messages */
export function parseRunFile(text: string, file: string): Record<string, unknown> {
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
  const value: unknown = document.toJS() ?? {};
  if (!isMap(document.contents) && document.contents !== null) {
    fail([`${file}:1:1: expected keys and values. Allowed keys: ${runConfigKeys.join(', ')}`]);
  }
  const parsed = runConfigSchema.safeParse(value);
  if (!parsed.success) {
    const issues = explainIssues(parsed.error, value, runConfigKeys)
      .map((issue) => ({ offset: offsetOf(document.contents as Node | null, issue), text: describe(issue) }))
      .sort((a, b) => a.offset - b.offset);
    fail(issues.map(({ offset, text }) => `${at(offset)}: ${text}`));
  }
  return value as Record<string, unknown>;
}

/** The parser's first line without its own position, and what usually is behind it. */
function explainSyntax(message: string): string {
  const first = message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '';
  const isColon = first.startsWith('Nested mappings');
  return isColon ? `${first}; a value with a colon in it needs quotes: method: "dgl(head: 1c2f)"` : first;
}

function describe({ path, isKey, message }: ConfigIssue): string {
  return isKey ? message : `${path.join('.')}: ${message}`;
}

/** Offset of the key, or of the value, that an issue is about. */
function offsetOf(root: Node | null, { path, isKey }: ConfigIssue): number {
  let node: Node | null = root;
  for (const [index, key] of path.entries()) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key) as
      | Pair<Node, Node | null>
      | undefined;
    if (pair === undefined) break;
    node = isKey && index === path.length - 1 ? pair.key : pair.value;
  }
  return node?.range?.[0] ?? 0;
}
