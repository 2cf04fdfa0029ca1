import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/** The keys that say how a network is cut into modules. */
type Cuts = { readonly [Key in 'modules' | 'partition' | 'stemModule']?: RunConfig[Key] | undefined };

/**
 * Rejects what contradicts the partition or has no effect beside it.
 *
 * @param given as the user wrote it, without defaults
 * @throws LocalgradError about the key `modules` or `stemModule`
 */
export function checkCuts({ modules, partition, stemModule }: Cuts): void {
  if (Array.isArray(partition) && modules !== undefined && modules !== partition.length) {
    const parts = partition.length === 1 ? '1 module' : `${partition.length} modules`;
    throw configError(
      'modules',
      `${modules}, but partition ${partition.join(',')} has ${parts}; remove one of the two.`,
      {
        mentions: ['partition'],
      },
    );
  }
  if (stemModule !== undefined && decidesStem(partition)) {
    throw configError('stemModule', `has no effect with partition ${partition}, which places the stem; remove it.`, {
      mentions: ['partition'],
    });
  }
}

/** Fills in what an explicit partition decides: the number of modules, and where the stem belongs. */
export function withDecidedCuts<Config extends Cuts>(config: Config): Config {
  const { partition } = config;
  if (!decidesStem(partition)) return config;
  const { stemModule: _, ...others } = config;
  return { ...others, ...(Array.isArray(partition) ? { modules: partition.length } : {}) } as Config;
}

/** Keys that the partition of a config decides. */
export function decidedKeys({ partition }: { readonly partition?: unknown }): readonly string[] {
  if (!decidesStem(partition)) return [];
  return Array.isArray(partition) ? ['modules', 'stemModule'] : ['stemModule'];
}

/** Blocks per module and published partitions name the blocks of each module, the stem included. */
function decidesStem(partition: unknown): boolean {
  return Array.isArray(partition) || (typeof partition === 'string' && partition.startsWith('published'));
}
