import { LocalgradError } from './errors.js';

/** The element at an index that must exist. @throws LocalgradError `misuse` with `what` and the index */
export function at<T>(list: ArrayLike<T>, index: number, what: string): T {
  if (!(index in list)) {
    throw new LocalgradError('misuse', `There is no ${what} ${index}; there are ${list.length}.`, { what, index });
  }
  return list[index] as T;
}

/** The value of a key that must exist. @throws LocalgradError `misuse` with `what` and the key */
export function get<K, V>(map: ReadonlyMap<K, V>, key: K, what: string): V {
  const value = map.get(key);
  if (value === undefined) throw new LocalgradError('misuse', `There is no ${what} '${String(key)}'.`, { what, key });
  return value;
}

/**
 * Rejects the Promise of an asynchronous function where nothing waits for it. The Promise's own rejection counts as handled.
 *
 * @param what the function, for the message
 * @param cure what its author should do instead. Default: for functions that compute with tensors
 * @throws LocalgradError `misuse`
 */
export function requireSynchronous(
  result: unknown,
  what: string,
  cure = 'Use tensor operations instead of reading values back (data, array).',
): void {
  if (!(result instanceof Promise)) return;
  result.catch(() => {});
  throw new LocalgradError(
    'misuse',
    `${what} returned a Promise, but nothing waits for it: it must not be async. ${cure}`,
    { what },
  );
}
