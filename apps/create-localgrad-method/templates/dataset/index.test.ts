import { selectBackend } from '@localgrad/backends';
import { describeDataset } from '@localgrad/testing';
import { expect, it } from 'vitest';
import { dataset } from './index.js';

await selectBackend('wasm');

// The contract of a data set: matching shapes, valid labels, the same content each time, batches with every target.
describeDataset('localgrad-template', () => dataset({ train: 60, test: 30 }));

it('rejects a number of images that is not positive', async () => {
  await expect(dataset({ train: 0 })).rejects.toThrow(/train/);
});
