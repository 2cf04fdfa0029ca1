import { readFileSync } from 'node:fs';

/**
 * Mutants that no test can kill, because they behave like the original in every respect that is promised.
 *
 * @returns {{ file: string, before: string, after: string, reason: string }[]}
 */
export function readEquivalents() {
  return JSON.parse(readFileSync(new URL('equivalent.json', import.meta.url), 'utf8'));
}

export function isSame(entry, { file, before, after }) {
  return entry.file === file && entry.before === before && entry.after === after;
}

/** Entries that match no mutant: the code has changed since. */
export function obsoleteAmong(entries, mutants) {
  return entries.filter((entry) => !mutants.some((mutant) => isSame(entry, mutant)));
}
