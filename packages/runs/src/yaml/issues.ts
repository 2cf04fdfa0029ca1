import { closestFirst, printable, shortened, shown } from '@localgrad/core';
import { maskCredentials } from '@localgrad/trackers';
import type { z } from 'zod';

/** A problem of a value, with its location. */
export interface ConfigIssue {
  readonly path: readonly PropertyKey[];
  /** The path ends in a key that should not be there. */
  readonly isKey: boolean;
  /** Whether the message is complete without the path. */
  readonly isComplete?: boolean;
  readonly message: string;
}

/** Message of an issue, with its path where the message does not name it. */
export function issueText({ path, isKey, isComplete, message }: ConfigIssue): string {
  return isKey || isComplete === true || path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

/** Maximum number of issues to explain; each needs a search for similar names. */
const most = 100;

/**
 * The issues that zod found, with suggestions for each unknown key.
 *
 * @param allowedKeys of the outermost object, or of the object at a path
 * @param insteadOf says what to write in place of an unknown key, for keys that are known elsewhere
 */
export function explainIssues(
  error: z.ZodError,
  input: unknown,
  allowedKeys: readonly string[] | ((path: readonly PropertyKey[]) => readonly string[]),
  insteadOf: (key: string) => string | undefined = () => undefined,
): ConfigIssue[] {
  const allowedAt = typeof allowedKeys === 'function' ? allowedKeys : () => allowedKeys;
  return error.issues
    .slice(0, most)
    .flatMap(innermost)
    .flatMap((issue): ConfigIssue[] => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.slice(0, most).map((key) => ({
          path: [...issue.path, key],
          isKey: true,
          message: insteadOf(key) ?? unknownKey(key, allowedAt(issue.path)),
        }));
      }
      const value = issue.path.reduce<unknown>(
        (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
        input,
      );
      const message =
        value === undefined ? `required, but missing; ${describe(issue)}` : `${describe(issue)}; found ${found(value)}`;
      return [{ path: issue.path, isKey: false, message }];
    });
}

/** Where a value has the type of one alternative, the issues inside it. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const [own, ...others] = issue.errors.filter((issues) => issues.every(({ path }) => path.length > 0));
  if (own === undefined || others.length > 0) return [issue];
  return own.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(innermost);
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return expectation(shortened(issue.message, 500));
  const [first = '', ...others] = new Set(issue.errors.flat().map(describe));
  return [first, ...others.map((other) => other.replace(/^expected /, ''))].join(', or ');
}

export function unknownKey(key: string, allowed: readonly string[]): string {
  const [nearest = ''] = closestFirst(key, allowed);
  const isNear = nearest.toLowerCase().startsWith(key.toLowerCase().slice(0, 3)) || key.includes(nearest);
  return `unknown key ${shown(key)}.${isNear ? ` Did you mean '${nearest}'?` : ''} Allowed: ${allowed.join(', ')}`;
}

function found(value: unknown): string {
  if (value === null) return 'no value';
  // With double quotes, as in a file.
  if (typeof value === 'string') return printable(JSON.stringify(shortened(maskCredentials(value))));
  const cure = isCutExpression(value) ? '; a value with a colon in it needs quotes: "dgl(head: 1c2f)"' : '';
  return `${maskCredentials(shown(value))}${cure}`;
}

/** Whether YAML took a part of an expression for a key: `{"dgl(head": "1c2f)"}`, `{"window": "3)"}`. */
function isCutExpression(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const isOpen = (text: string) => text.split('(').length !== text.split(')').length;
  return Object.entries(value).some(([key, part]) => isOpen(key) || (typeof part === 'string' && isOpen(part)));
}

/** Types in a reader's words. */
const nouns: Readonly<Record<string, string>> = {
  record: 'keys and values',
  object: 'keys and values',
  array: 'a list',
  tuple: 'a pair of numbers',
  int: 'an integer',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
};

/** Comparisons in zod's messages. */
const signs: Readonly<Record<string, string>> = { '>=': '≥', '<=': '≤', '>': '>', '<': '<' };

/**
 * The expected value alone: of `Invalid input: expected number, received string`, only `expected a number`, and of `Too small:
 * expected number to be >=1`, `expected a number ≥ 1`.
 */
function expectation(message: string): string {
  const text = message.replace(/^Invalid (?:input|option): |^Too (?:small|big): /, '').replace(/, received \w+$/, '');
  const words = text
    .replace(/ to (be|have) ([<>]=?)(\S+)/, (_, verb: string, sign: string, limit: string) => {
      return `${verb === 'have' ? ' with' : ''} ${signs[sign]} ${limit}`;
    })
    .replace(/\b[Ee]xpected (\w+)\b/, (whole, type: string) =>
      Object.hasOwn(nouns, type) ? `expected ${nouns[type]}` : whole,
    );
  return words.charAt(0).toLowerCase() + words.slice(1);
}
