import { LocalgradError } from '@localgrad/core';
import type { FetchOptions, FetchReport } from './store/fetch-dataset.js';

/** @throws LocalgradError `misuse` */
export async function fetchDataset(_name: string, _options: FetchOptions = {}): Promise<FetchReport> {
  throw nodeOnly('fetchDataset');
}

/** @throws LocalgradError `misuse` */
export async function datasetFolder(_name: string): Promise<string> {
  throw nodeOnly('datasetFolder');
}

function nodeOnly(name: string): LocalgradError {
  return new LocalgradError('misuse', `${name} keeps files in a folder, which requires Node.`);
}
