import { LocalgradError } from '@localgrad/core';
import { explainIssues } from '../yaml/issues.js';
import { checkCuts, withDecidedCuts } from './explicit-partition.js';
import { type RunConfig, type RunConfigInput, runConfigKeys, runConfigSchema } from './run-config.js';

/**
 * Fills in the defaults of a config from a program.
 *
 * @throws LocalgradError `invalid-option` that lists every invalid key with its value and the allowed ones
 */
export function resolveConfig(input: RunConfigInput): RunConfig {
  const parsed = runConfigSchema.safeParse(input);
  if (parsed.success) {
    checkCuts(input);
    return withDecidedCuts(parsed.data);
  }
  const problems = explainIssues(parsed.error, input, runConfigKeys).map(({ path, isKey, message }) =>
    isKey ? message : `${path.join('.')}: ${message}`,
  );
  throw new LocalgradError('invalid-option', problems.join('\n'), { problems });
}
