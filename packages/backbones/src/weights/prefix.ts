import { LocalgradError, shown } from '@localgrad/core';
import { backboneName, withoutWrappers } from './reference-names.js';

/**
 * The prefix under which a state dict holds a network (`model.`, `net.`, `ema.`): that with the most of the expected names.
 * Empty where none has more than half of them.
 *
 * @param names of the file's tensors, without wrappers
 * @param expected our names of the network's tensors
 * @throws LocalgradError `invalid-data` when several prefixes hold a whole network each
 */
export function prefixOf(names: Iterable<string>, expected: readonly string[], where: string): string {
  const wanted = new Set(expected);
  // The first name of a network finds its candidates; one file may hold thousands of tensors, but few of these.
  const anchors = ['conv1.weight', ...expected.slice(0, 1)];
  const found = new Map<string, number>();
  const all = [...names];
  for (const name of all) {
    const anchor = anchors.find((end) => name === end || name.endsWith(`.${end}`));
    if (anchor !== undefined) found.set(name.slice(0, name.length - anchor.length), 0);
  }
  for (const prefix of found.keys()) {
    let count = 0;
    for (const name of all) if (name.startsWith(prefix) && wanted.has(backboneName(name.slice(prefix.length)))) count++;
    found.set(prefix, count);
  }
  const [best, ...others] = [...found].sort(([, a], [, b]) => b - a);
  if (best === undefined || 2 * best[1] <= wanted.size) return '';
  const alike = [best, ...others].filter(([, count]) => count === best[1]).map(([prefix]) => prefix);
  if (alike.length > 1) {
    const choice = alike.map(shown).join(' and ');
    throw new LocalgradError(
      'invalid-data',
      `${where}: contains the network ${alike.length} times, under ${choice}. Keep one of them: python -c "from safetensors.torch import load_file, save_file; p = '${alike[0]}'; save_file({k[len(p):]: v for k, v in load_file('FILE').items() if k.startswith(p)}, 'one.safetensors')".`,
      { where, prefixes: alike },
    );
  }
  return best[0];
}

/** A file's name of a tensor in a network under `prefix`; undefined for tensors outside it. */
export function nameUnder(prefix: string, fullName: string): string | undefined {
  const name = withoutWrappers(fullName);
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}
