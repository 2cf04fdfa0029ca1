import { afterEach, describe, expect, it, vi } from 'vitest';
import { availableThreads, threadObstacle } from './platform.browser.js';

afterEach(() => vi.unstubAllGlobals());

/** The globals of a page or of a worker. */
function stub(globals: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
}

describe('threads in browsers', () => {
  it('require https or localhost: without it, no header makes a page cross-origin isolated', () => {
    stub({ isSecureContext: false, crossOriginIsolated: false });
    expect(threadObstacle()).toMatch(/require a secure context: serve the page over https/);
    expect(availableThreads()).toBe(1);
  });

  it('require cross-origin isolation, whose headers are named', () => {
    stub({ isSecureContext: true, crossOriginIsolated: false });
    expect(threadObstacle()).toMatch(/Cross-Origin-Opener-Policy: same-origin .* Cross-Origin-Embedder-Policy/);
  });

  it('require a worker, and are then as many as the processor has', () => {
    stub({ isSecureContext: true, crossOriginIsolated: true });
    expect(threadObstacle()).toMatch(/web worker/);
    stub({ WorkerGlobalScope: class {}, navigator: { hardwareConcurrency: 6 } });
    expect(threadObstacle()).toBeUndefined();
    expect(availableThreads()).toBe(6);
  });
});
