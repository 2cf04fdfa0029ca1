import { LocalgradError } from '@localgrad/core';
import type { ConvertOptions, ConvertReport } from './convert.node.js';
import type { DatasetSplits } from './dataset.js';

export type { ConvertOptions, ConvertReport } from './convert.node.js';

/** @throws LocalgradError `misuse` */
export async function convertToFolder(
  _splits: DatasetSplits,
  _output: string,
  _options?: ConvertOptions,
): Promise<ConvertReport> {
  throw new LocalgradError('misuse', 'convertToFolder writes files, which requires Node; in browsers, use encodePng.');
}
