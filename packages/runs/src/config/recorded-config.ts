import { isOfOtherBackend } from '../identity/config-identity.js';
import { isOfOtherOptimizer } from './optimization.js';
import type { RunConfig } from './run-config.js';

/** A config with all defaults, but without keys that its backend or optimizer does not read: they would mislead a reader of its file. */
export function recordedConfig(config: RunConfig): Partial<RunConfig> {
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => !isOfOtherBackend(key, config) && !isOfOtherOptimizer(key, config)),
  );
}
