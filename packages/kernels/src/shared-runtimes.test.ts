import { describe, expect, it, vi } from 'vitest';
import type { KernelRuntime } from './kernel-runtime.js';
import { SharedRuntimes } from './shared-runtimes.js';
import { stockKernels } from './stock-kernels.js';

function runtime() {
  const dispose = vi.fn();
  const start = vi.fn((): KernelRuntime => ({ name: 'cpu', kernels: stockKernels, facts: {}, dispose }));
  return { dispose, start };
}

describe('SharedRuntimes', () => {
  it('starts a backend once and disposes it with the last handle', () => {
    const { dispose, start } = runtime();
    const [runtimes, backend] = [new SharedRuntimes(), {}];
    const [first, second] = [runtimes.share(backend, start), runtimes.share(backend, start)];
    expect(start).toHaveBeenCalledTimes(1);
    first.dispose();
    first.dispose();
    expect(dispose).not.toHaveBeenCalled();
    second.dispose();
    expect(dispose).toHaveBeenCalledTimes(1);
    expect(runtimes.get(backend)).toBeUndefined();
    runtimes.share(backend, start);
    expect(start).toHaveBeenCalledTimes(2);
  });

  it('shares no runtime between backends', () => {
    const { dispose, start } = runtime();
    const [runtimes, other] = [new SharedRuntimes(), {}];
    const first = runtimes.share({}, start);
    runtimes.share(other, start);
    first.dispose();
    expect(dispose).toHaveBeenCalledTimes(1);
    expect(runtimes.get(other)).toBeDefined();
  });

  it('ends all handles of a backend that is stopped, also after it has started again', () => {
    const { dispose, start } = runtime();
    const [runtimes, backend] = [new SharedRuntimes(), {}];
    const old = runtimes.share(backend, start);
    runtimes.stop(backend);
    expect(dispose).toHaveBeenCalledTimes(1);
    runtimes.share(backend, start);
    old.dispose();
    expect(dispose).toHaveBeenCalledTimes(1);
  });
});
