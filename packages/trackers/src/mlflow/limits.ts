import type { KeyValue } from './client.js';

/** Limits of a request to `runs/log-batch`: https://mlflow.org/docs/latest/rest-api.html#log-batch */
export const batchLimits = { metrics: 1000, params: 100, tags: 100 } as const;

/** In characters. The limit of tags is that of servers before 2.16; later ones accept 8000. */
export const lengthLimits = { key: 250, param: 6000, tag: 5000 } as const;

/** In bytes. Requests may have a megabyte; leaves room for the JSON around the items. */
const largestBatch = 900_000;

export function inBatches<Item>(items: readonly Item[], count: number): Item[][] {
  const batches: Item[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item)) + 1;
    const last = batches.at(-1);
    if (last === undefined || last.length === count || bytes + size > largestBatch) {
      batches.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return batches;
}

/** MLflow accepts names of letters, digits, `_-. :` and `/`, with no part that is empty, `.` or `..`. */
export function allowedKey(name: string): string {
  const parts = name.replaceAll(/[^\w\-. :/]/g, '_').split('/');
  return parts
    .map((part) => (/^\.{0,2}$/.test(part) ? '_'.repeat(Math.max(1, part.length)) : part))
    .join('/')
    .slice(0, lengthLimits.key);
}

/**
 * Names and values that MLflow accepts.
 *
 * @param what noun for messages, e.g. `Parameter`
 * @param onChange called for each name or value that had to be changed
 */
export function allowedPairs(
  values: Readonly<Record<string, string | number | boolean>>,
  limit: number,
  what: string,
  onChange: (message: string) => void,
): KeyValue[] {
  return Object.entries(values).map(([name, content]) => {
    const key = allowedKey(name);
    const value = String(content);
    if (key !== name) onChange(`${what} '${name}' is stored as '${key}' in MLflow.`);
    if (value.length > limit)
      onChange(`${what} '${name}' has ${value.length} characters; MLflow receives the first ${limit}.`);
    return { key, value: value.slice(0, limit) };
  });
}
