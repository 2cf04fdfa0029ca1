import { expect, it } from 'vitest';
import { attention, bilinearUpsample, maxPool, parameterless } from './blocks/index.js';
import { blockHead, patchedHead, synthesizingHead } from './heads/index.js';
import { createScope } from './random/index.js';
import { constantRate } from './schedules/index.js';

const wrong = { mistaken: 1 } as never;

it.each<[string, () => unknown, string]>([
  ['attention', () => attention(wrong), 'name, inputShape, heads'],
  ['maxPool', () => maxPool(wrong), 'name, inputShape, size, stride, padding'],
  ['bilinearUpsample', () => bilinearUpsample('up', [2, 2, 1], [4, 4], wrong), 'alignCorners'],
  ['parameterless', () => parameterless(wrong), 'name, inputShape, outputShape, apply, pullBack'],
  ['blockHead', () => blockHead(wrong), 'name, blocks, loss'],
  ['synthesizingHead', () => synthesizingHead(wrong), 'name, blocks, condition'],
  ['patchedHead', () => patchedHead({} as never, createScope(1), wrong), 'name, patches, share, reduction, build'],
  ['createScope', () => createScope(1, wrong), 'mostValues, zeros'],
  ['constantRate', () => constantRate(wrong), 'learningRate'],
])('%s names an unknown option and the allowed ones', (where, call, allowed) => {
  expect(call).toThrow(`Unknown option of ${where} 'mistaken'. Allowed: ${allowed}`);
});
