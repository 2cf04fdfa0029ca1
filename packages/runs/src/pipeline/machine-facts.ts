import type { Facts } from '@localgrad/pipeline';
import { type NameOptions, resolveNames } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { ignoredKeys } from '../identity/config-identity.js';
import { version } from '../version.js';

/** What all machines of a run must have in common: the version, the options, and packages and files outside of localgrad. */
export async function machineFacts(config: RunConfig, names: NameOptions = {}): Promise<Facts> {
  const { modules } = await resolveNames(config, names);
  const options = Object.entries(config).filter(
    // Rank 0 alone reads the initial weights.
    ([key, value]) => value !== undefined && key !== 'initialWeights' && !ignoredKeys.includes(key),
  );
  const { placement, workers } = config;
  return {
    'version of localgrad': version,
    placement: placement ?? `${workers} workers`,
    ...Object.fromEntries(
      options.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
    ),
    ...Object.fromEntries(modules.map(({ name, kind, hash }) => [`${kind} '${name}'`, `content ${hash.slice(0, 12)}`])),
  };
}
