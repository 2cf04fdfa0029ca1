import { LocalgradError, shortened } from '@localgrad/core';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml';
import type { z } from 'zod';
import { type ConfigIssue, explainIssues, issueText } from './issues.js';
import { contentProblems, isMergeKey, nestingProblem, type Problem } from './limits.js';

/** A YAML file with the position of each value. */
export interface YamlDocument {
  /** Plain data; an empty file is `{}`. */
  readonly value: Record<string, unknown>;
  /** Throws an error that lists all problems of the file, each with `file:line:column`, in the file's order. */
  fail(issues: readonly ConfigIssue[]): never;
  /** `file:line:column` of the value at a path, or of the nearest thing above it. */
  at(path: readonly PropertyKey[]): string;
  /** Keys of the mapping at a path, in the file's order: objects put keys that are whole numbers first. */
  keysAt(path: readonly PropertyKey[]): readonly string[];
}

/**
 * @param file name for messages
 * @param allowedKeys of the outermost mapping, for messages
 * @throws LocalgradError `invalid-data`, that lists every problem with `file:line:column`
 */
export function parseYaml(text: string, file: string, allowedKeys: readonly string[]): YamlDocument {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const fail = (problems: readonly Problem[]): never => {
    const sorted = [...problems].sort((a, b) => a.offset - b.offset);
    const messages = [...new Set(sorted.map(({ offset, message }) => `${at(offset)}: ${message}`))];
    const shown = messages.slice(0, mostMessages);
    if (messages.length > mostMessages) shown.push(`${file}: and further problems`);
    throw new LocalgradError('invalid-data', shown.join('\n'), { file, problems: shown });
  };
  const tooDeep = nestingProblem(text);
  if (tooDeep !== undefined) {
    // The parser, which counts lines, is not run.
    for (const { index } of text.matchAll(/^/gm)) lines.addNewLine(index);
    fail([tooDeep]);
  }
  const options = { lineCounter: lines, uniqueKeys: false, merge: true, prettyErrors: false };
  const document = parseDocument(text, options);
  if (document.errors.length > 0) {
    fail(document.errors.map((error) => ({ offset: error.pos[0], message: explainSyntax(error.message) })));
  }
  const problems = contentProblems(document);
  if (problems.length > 0) fail(problems);
  const root = document.contents;
  if (!isMap(root) && root !== null) {
    fail([{ offset: 0, message: `expected keys and values. Allowed keys: ${allowedKeys.join(', ')}` }]);
  }
  return {
    // Their number is already bounded.
    value: document.toJS({ maxAliasCount: -1 }) ?? {},
    at: (path) => at(offsetOf(document, { path, isKey: false, message: '' })),
    keysAt(path) {
      const node = document.getIn(path, true);
      return isMap(node) ? node.items.flatMap(({ key }) => (isScalar(key) ? [String(key.value)] : [])) : [];
    },
    fail: (issues) => fail(issues.map((issue) => ({ offset: offsetOf(document, issue), message: issueText(issue) }))),
  };
}

/** Maximum number of lines of an error. */
const mostMessages = 50;

/** The document's value as a schema reads it. @throws LocalgradError `invalid-data` */
export function validate<Schema extends z.ZodType>(
  document: YamlDocument,
  schema: Schema,
  allowedKeys: Parameters<typeof explainIssues>[2],
  insteadOf?: (key: string) => string | undefined,
): z.output<Schema> {
  const parsed = schema.safeParse(document.value);
  if (parsed.success) return parsed.data;
  return document.fail(explainIssues(parsed.error, document.value, allowedKeys, insteadOf));
}

/** First line of the parser's message without its position, and the usual cause. */
function explainSyntax(message: string): string {
  const first = shortened(message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '');
  if (first.startsWith('Source contains multiple documents')) {
    return "a file must contain one document; remove everything from the line '---' on";
  }
  // In braces, the parser takes what follows a second colon for a list of indented lines.
  const isColon =
    first.startsWith('Nested mappings') || first.startsWith('Block collections are not allowed within flow');
  if (isColon) return `${first}; a value with a colon in it needs quotes: method: "dgl(head: 1c2f)"`;
  const isBrace = first.startsWith('Unexpected flow-map-start');
  return isBrace ? `${first}; a value with braces in it needs quotes: method: "mlaan({host})"` : first;
}

/** Offset of the key, or of the value, that an issue is about. */
function offsetOf(document: Document, { path, isKey }: ConfigIssue): number {
  let node: Node | null = document.contents;
  let offset = 0;
  for (const [index, key] of path.entries()) {
    offset = node?.range?.[0] ?? offset;
    const target = resolved(document, node);
    if (isSeq(target)) {
      const item = target.items[Number(key)];
      node = isNode(item) ? item : node;
      continue;
    }
    const pair = isMap(target) ? pairOf(document, target, key) : undefined;
    if (pair === undefined) break;
    node = isKey && index === path.length - 1 ? pair.key : pair.value;
  }
  return node?.range?.[0] ?? offset;
}

function resolved(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

type Items = { readonly items: readonly unknown[] };
type NodePair = Pair<Node, Node | null>;

/** A mapping's own pair of a key, else that of what `<<` takes over. */
function pairOf(document: Document, { items }: Items, key: PropertyKey): NodePair | undefined {
  const pairs = items.filter((item): item is NodePair => isPair(item));
  const own = pairs.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key));
  if (own !== undefined) return own;
  for (const { value } of pairs.filter((pair) => isMergeKey(pair.key))) {
    const merged = resolved(document, value);
    for (const source of isSeq(merged) ? merged.items : [merged]) {
      const target = resolved(document, source);
      const found = isMap(target) ? pairOf(document, target, key) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
