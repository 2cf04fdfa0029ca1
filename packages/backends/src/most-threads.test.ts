import { expect, it } from 'vitest';
import { mostThreads } from './most-threads.js';
import { selectBackend } from './select.js';

it('states the number of threads above which wasm does not start', async () => {
  const most = await mostThreads('wasm');
  await expect(selectBackend('wasm', { threads: most + 1 })).rejects.toThrow(`from 1 to ${most}`);
});

it('states no limit for backends without one', async () => {
  expect(await mostThreads('cpu')).toBe(Number.POSITIVE_INFINITY);
});
