import { selectBackend } from '@localgrad/backends';
import { dgl } from '@localgrad/dgl';
import { describeDecorator } from '@localgrad/testing';
import { expect, it } from 'vitest';
import { decorator, withDecorator } from './index.js';

await selectBackend('wasm');

// The contract of a decorator: a config that contains the wrapped method's, valid plans and correct gradients.
describeDecorator('localgrad-template', () => withDecorator({ final: 0.5 }));

it('rejects a negative final weight', () => {
  expect(() => decorator(dgl(), { final: -1 })).toThrow(/final/);
});
