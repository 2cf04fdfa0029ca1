import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NameOptions } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import type { RunSplits } from '../run-images.js';
import { earlierRunId, identifyRun } from './run-identity.js';

/**
 * Folder of a run that was given none: `localgrad-runs/<run id>`, or the folder in which an earlier version started it.
 *
 * @throws LocalgradError where a file that the config names cannot be read
 */
export async function defaultRunFolder(
  config: RunConfig,
  data: RunSplits,
  names: NameOptions = {},
  parent = 'localgrad-runs',
): Promise<string> {
  const folder = join(parent, (await identifyRun(config, data, names)).runId);
  if (existsSync(folder)) return folder;
  const earlier = join(parent, await earlierRunId(config, data, names));
  return existsSync(earlier) ? earlier : folder;
}
