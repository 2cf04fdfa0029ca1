import { LocalgradError, shown } from '@localgrad/core';
import { backboneName, withoutWrappers } from './reference-names.js';

/**
 * Detects the prefix of a network in a state dict (`model.`, `net.`, `ema.`): the one with the most expected names.
 * Empty if no prefix has more than half of them.
 *
 * @param names of the file's tensors, without wrapper prefixes
 * @param expected our names of the network's tensors
 * @throws LocalgradError `invalid-data` when several prefixes contain a complete network
 */
export function prefixOf(names: Iterable<string>, expected: readonly string[], where: string): string {
  const wanted = new Set(expected);
  // Candidates are found by the network's first name, of which a file contains few even if it has thousands of tensors.
  const anchors = ['conv1.weight', 'conv_proj.weight', ...expected.slice(0, 1)];
  const found = new Map<string, number>();
  const all = [...names];
  for (const name of all) {
    const ends = anchors.filter((end) => name === end || name.endsWith(`.${end}`));
    for (const end of ends) found.set(name.slice(0, name.length - end.length), 0);
  }
  for (const prefix of found.keys()) {
    let count = 0;
    for (const name of all) if (name.startsWith(prefix) && wanted.has(backboneName(name.slice(prefix.length)))) count++;
    found.set(prefix, count);
  }
  const [best, ...others] = [...found].sort(([, a], [, b]) => b - a);
  if (best === undefined || 2 * best[1] <= wanted.size) return '';
  const alike = [best, ...others].filter(([, count]) => count === best[1]).map(([prefix]) => prefix);
  requireOnePrefix(alike, where);
  return best[0];
}

/** @throws LocalgradError `invalid-data` for several prefixes of the same network */
export function requireOnePrefix(alike: readonly string[], where: string): void {
  if (alike.length <= 1) return;
  const choice = alike.map(shown).join(' and ');
  throw new LocalgradError(
    'invalid-data',
    `${where}: the file contains the network ${alike.length} times, with the prefixes ${choice}. Keep one of them: python -c "from safetensors.torch import load_file, save_file; p = '${alike[0]}'; save_file({k[len(p):]: v for k, v in load_file('FILE').items() if k.startswith(p)}, 'one.safetensors')".`,
    { where, prefixes: alike },
  );
}

/** Removes the prefix from a tensor's name; undefined for tensors without the prefix. */
export function nameUnder(prefix: string, fullName: string): string | undefined {
  const name = withoutWrappers(fullName);
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}
