import { mostThreads } from '@localgrad/backends';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/**
 * @param shared number of threads if the config says `auto`
 * @throws LocalgradError with the config's key, if the backend does not start with that many threads
 */
export async function checkThreads({ backend, threads }: RunConfig, shared?: number): Promise<void> {
  const wanted = threads === 'auto' ? shared : threads;
  if (wanted === undefined) return;
  const most = await mostThreads(backend);
  if (wanted <= most) return;
  throw threads === 'auto'
    ? configError('backend', `'${backend}' does not start with ${wanted} threads; allowed: 1 to ${most}.`)
    : configError('threads', `${wanted}; allowed with backend '${backend}': 1 to ${most}, or auto.`);
}
