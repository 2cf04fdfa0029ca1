import { shown } from '@localgrad/core';
import { canonicalJson, parseYaml } from '@localgrad/runs';
import { experimentKeys } from './experiment-schema.js';

/**
 * The keys in which two texts of an experiment file differ, one phrase each, e.g. `base.epochs (2 in the sweep, 5 in the file)`.
 * Comments and the order of keys do not count.
 *
 * @param before text of the sweep @param now text of the file
 */
export function experimentDifferences(before: string, now: string): string[] {
  const [sweep, file] = [before, now].map((text) => valuesOf(text)) as [Values, Values];
  return [...new Set([...Object.keys(sweep), ...Object.keys(file)])]
    .filter((key) => canonicalJson(sweep[key]) !== canonicalJson(file[key]))
    .map((key) => `${key} (${wordsOf(sweep[key])} in the sweep, ${wordsOf(file[key])} in the file)`);
}

type Values = Readonly<Record<string, unknown>>;

/** Values of single settings: those of `base`, `grid` and the like one by one. */
function valuesOf(text: string): Values {
  const { value } = parseYaml(text, 'experiment', experimentKeys);
  const entries = Object.entries(value).flatMap(([key, own]): [string, unknown][] => {
    if (typeof own !== 'object' || own === null || Array.isArray(own)) return [[key, own]];
    return Object.entries(own).map(([inner, setting]) => [`${key}.${inner}`, setting]);
  });
  return Object.fromEntries(entries);
}

function wordsOf(value: unknown): string {
  return value === undefined ? 'not set' : shown(value);
}
