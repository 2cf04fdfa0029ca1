import { descriptors } from './descriptors.node.js';
import { diagnose } from './select.js';

/**
 * The largest number of threads with which a backend starts; `Infinity` if it has no limit. `auto`: with which every backend
 * starts that `auto` may select on this machine. Starts no backend.
 */
export async function mostThreads(name = 'auto'): Promise<number> {
  const names = name === 'auto' ? await namesOfAuto() : [name];
  const chosen = descriptors.filter((descriptor) => names.includes(descriptor.name));
  return Math.min(...chosen.map((descriptor) => descriptor.mostThreads ?? Number.POSITIVE_INFINITY));
}

async function namesOfAuto(): Promise<readonly string[]> {
  const { selected, toMeasure } = await diagnose();
  return selected === null ? toMeasure : [selected];
}
