import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder for files that can be made again: `LOCALGRAD_CACHE`, or `localgrad` in the user's cache folder. */
export function cacheFolder(): string {
  const { LOCALGRAD_CACHE, XDG_CACHE_HOME } = process.env;
  return LOCALGRAD_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'localgrad');
}
