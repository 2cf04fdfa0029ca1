import type { JsonValue } from '@localgrad/core';
import { expect } from 'vitest';
import type { Readings, Training } from './trial.js';

/** What two runs are compared in: values in the order of steps, or by name. */
export type Outcome = Readonly<
  Record<string, readonly (number | undefined)[] | Readings | Readonly<Record<string, JsonValue>>>
>;

export const unseeded = "noise that is not seeded (use the mode's noise, not Math.random)";
export const undeclared = 'state that is not declared (parameters of the scope, or the state of a plan or head)';

/** Everything in which equal runs are equal. */
export function outcomeOf({ losses, totals, parameters, optimizer, state }: Training): Outcome {
  return {
    losses,
    parameters,
    'state of the optimizer': optimizer,
    'state of the plan': state,
    'sums of losses': totals,
  };
}

/**
 * Compares two runs bit for bit. The error lists what differs by name, and the likely reason, in place of thousands of numbers.
 *
 * @param likelyReason ends the sentence "Likely reason: …"
 */
export function expectSame(actual: Outcome, expected: Outcome, likelyReason: string): void {
  const differences = Object.keys(expected).flatMap((part) => differencesOf(part, actual[part], expected[part]));
  if (differences.length === 0) return;
  expect.fail(`the runs differ:\n${differences.map((one) => `  ${one}`).join('\n')}\nLikely reason: ${likelyReason}`);
}

function differencesOf(
  part: string,
  actual: Outcome[string] | undefined,
  expected: Outcome[string] | undefined,
): string[] {
  const [found, wanted] = [entriesOf(actual), entriesOf(expected)];
  const names = [...new Set([...wanted.keys(), ...found.keys()])];
  const differing = names.filter((name) => !isSame(found.get(name), wanted.get(name)));
  const [first] = differing;
  if (first === undefined) return [];
  const others = differing.length === 1 ? '' : `, and ${differing.length - 1} more of ${names.length}`;
  return [`${part}, ${first}: ${shown(found.get(first))} in place of ${shown(wanted.get(first))}${others}`];
}

function entriesOf(values: Outcome[string] | undefined): ReadonlyMap<string, unknown> {
  if (values instanceof Map) return values;
  if (Array.isArray(values)) return new Map(values.map((value, index) => [`step ${index + 1}`, value]));
  return new Map(Object.entries(values ?? {}));
}

function isSame(actual: unknown, expected: unknown): boolean {
  if (!(actual instanceof Float32Array) || !(expected instanceof Float32Array)) {
    return Object.is(actual, expected) || JSON.stringify(actual) === JSON.stringify(expected);
  }
  return actual.length === expected.length && actual.every((value, index) => Object.is(value, expected[index]));
}

function shown(value: unknown): string {
  if (value instanceof Float32Array) return `[${[...value.slice(0, 3)].join(', ')}${value.length > 3 ? ', …' : ''}]`;
  return value === undefined ? 'nothing' : String(typeof value === 'object' ? JSON.stringify(value) : value);
}
