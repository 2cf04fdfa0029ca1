import { selectBackend } from '@localgrad/backends';
import { withLam } from '@localgrad/lam';
import { withMlm } from '@localgrad/mlm';
import { describeMethod } from '@localgrad/testing';
import { expect, it } from 'vitest';
import { method } from './index.js';

await selectBackend('wasm');

// The contract of a method: its plans, gradients, training on a toy problem, and behavior inside decorators.
describeMethod('localgrad-template', () => method({ smoothing: 0.2 }), {
  fromConfig: ({ method: _, ...options }) => method(options),
  decorators: { mlm: withMlm(), lam: withLam() },
});

it('rejects a smoothing outside its range', () => {
  expect(() => method({ smoothing: 1 })).toThrow(/smoothing/);
});
