import { downloadFile } from '@localgrad/core/downloads';
import { expect, it } from 'vitest';
import { fashionMnistSubset, fetchDataset, prepareSplits } from './index.js';

const wrong = { mistaken: 1 } as never;
const ofDownloads = 'stallTimeout, attempts, retryDelay, signal, onProgress';

it.each<[string, () => unknown, string]>([
  ['fetchDataset', () => fetchDataset('mnist', wrong), `${ofDownloads}, folder, fromDir, offline, optional.`],
  [
    "data set 'fashion-mnist-subset'",
    async () => prepareSplits(await fashionMnistSubset(), wrong),
    'resize, pad, channels, train, test, extra, fold.',
  ],
  ['downloadFile', () => downloadFile({} as never, 'file', wrong), `${ofDownloads}.`],
])('%s names an unknown option and the allowed ones', async (where, call, allowed) => {
  await expect(async () => call()).rejects.toThrow(`Unknown option of ${where} 'mistaken'. Allowed: ${allowed}`);
});
