import { homedir } from 'node:os';
import { join } from 'node:path';
import { LocalgradError } from '../errors.js';

/**
 * The folder for files that can be made again: `LOCALGRAD_CACHE`, or `localgrad` in the user's cache folder. Empty variables count as
 * unset.
 *
 * @throws LocalgradError `invalid-option` for a user without a home folder, as in some containers
 */
export function cacheFolder(): string {
  const { LOCALGRAD_CACHE, XDG_CACHE_HOME } = process.env;
  return LOCALGRAD_CACHE || join(XDG_CACHE_HOME || join(homeFolder(), '.cache'), 'localgrad');
}

function homeFolder(): string {
  const found = findHome();
  if (found !== '') return found;
  throw new LocalgradError(
    'invalid-option',
    'This user has no home folder. Set LOCALGRAD_CACHE to a folder for downloads and measurements, or HOME.',
  );
}

/** Empty if the user has none: HOME is not set, and the system does not list the user. */
function findHome(): string {
  try {
    return homedir();
  } catch {
    return '';
  }
}
