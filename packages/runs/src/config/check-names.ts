import { parseAsynchronous } from '@localgrad/asynchronous';
import { backendNames } from '@localgrad/backends';
import type { Catalog } from '@localgrad/catalog';
import { LocalgradError, shown, unknownName } from '@localgrad/core';
import { configError, configProblemOf } from './config-error.js';
import { optimizerOf, scheduleOf } from './optimization.js';
import { keyErrorOf } from './option-keys.js';
import { type NameOptions, resolveNames } from './resolve-names.js';
import type { RunConfig } from './run-config.js';

/** How the expression of each key is resolved, without images or a backend. */
const checks: Readonly<
  Record<
    'method' | 'backbone' | 'dataset' | 'optimizer' | 'schedule' | 'asynchronous',
    (config: RunConfig, catalog: Catalog) => void
  >
> = {
  method: ({ method }, catalog) => void catalog.method(method),
  backbone: ({ backbone, width }, catalog) => void catalog.backbone(backbone, { width }),
  // Creating a data set reads its files, so only the name is looked up.
  dataset: () => {},
  optimizer: (config, catalog) => optimizerOf(config, catalog).dispose(),
  schedule: (config, catalog) => void scheduleOf(config, catalog),
  asynchronous: ({ asynchronous }) => void parseAsynchronous(asynchronous),
};

/**
 * Resolves every name and expression of a config once, so that an invalid one is reported before anything runs.
 *
 * @throws LocalgradError with the config's key
 */
export async function checkNames(config: RunConfig, names: NameOptions = {}): Promise<void> {
  const { backend } = config;
  if (!backendNames.includes(backend)) {
    const cause = unknownName('backend', backend, backendNames);
    throw configError('backend', cause.message, { code: cause.code, cause });
  }
  for (const [key, check] of Object.entries(checks)) {
    const text = config[key as keyof typeof checks];
    try {
      const { catalog } = await resolveNames({ [key]: text }, names);
      check(config, catalog);
    } catch (error) {
      if (configProblemOf(error) !== undefined || !LocalgradError.isInstance(error)) throw error;
      const problem = `${shown(text)}: ${error.message}`;
      throw keyErrorOf(error, config) ?? configError(key, problem, { code: error.code, cause: error });
    }
  }
}
