import type { FetchOptions, FetchReport } from './store/fetch-dataset.js';

// Node's file system is loaded on demand, since the rest of this package runs in browsers.

/**
 * Makes the files of a data set available in a folder, each with the published hash: existing files are kept, missing ones
 * are downloaded (or copied from `fromDir`). One process at a time; an interrupted call resumes.
 *
 * @throws LocalgradError `unknown-name`, `missing-dependency` (offline), `invalid-data`, `misuse` (another process)
 */
export async function fetchDataset(name: string, options: FetchOptions = {}): Promise<FetchReport> {
  const store = await import('./store/fetch-dataset.js');
  return store.fetchDataset(name, options);
}

/** The default folder of a data set's files: `LOCALGRAD_CACHE`, or `localgrad` in the user's cache folder. */
export async function datasetFolder(name: string): Promise<string> {
  const store = await import('./store/fetch-dataset.js');
  return store.datasetFolder(name);
}
