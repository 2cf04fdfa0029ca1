import { afterEach, expect, it, vi } from 'vitest';
import type { WasmRuntime } from './start.js';

const obstacle = 'threads require cross-origin isolation: serve the page with other headers';

let runtime: WasmRuntime | undefined;
afterEach(() => {
  runtime?.dispose();
  vi.doUnmock('./platform.node.js');
  vi.resetModules();
});

it.each([
  [{}, `Using one thread: ${obstacle}`],
  [{ threads: 2 }, `Using one thread: the threaded build could not be started: ${obstacle}`],
  [{ threads: 1 }, undefined],
])('gives the reason for one thread, unless one was requested: %j', async (options, reason) => {
  // As in a page that is not isolated.
  vi.doMock('./platform.node.js', async (original) => ({
    ...(await original<object>()),
    availableThreads: () => 1,
    threadObstacle: () => obstacle,
  }));
  vi.resetModules();
  const { startWasm } = await import('./start.js');
  runtime = await startWasm(options);
  expect(runtime.facts).toMatchObject({ build: 'simd', threads: 1 });
  expect(runtime.facts.reason).toBe(reason);
});
