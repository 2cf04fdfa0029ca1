import { selectBackend } from '@localgrad/backends';
import { describeBackbone } from '@localgrad/testing';
import { expect, it } from 'vitest';
import { backbone } from './index.js';

await selectBackend('wasm');

// The contract of a backbone: matching shapes, unique names, the same function for every partition, correct gradients.
describeBackbone('localgrad-template', () => backbone({ width: 4, stages: 2 }));

it('rejects a width that is not a positive integer', () => {
  expect(() => backbone({ width: 0 })).toThrow(/width/);
});
