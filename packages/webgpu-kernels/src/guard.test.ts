import { afterEach, describe, expect, it, vi } from 'vitest';
import { guardBackend } from './guard.js';
import type { WebGpuBackend } from './program.js';

class GPUOutOfMemoryError extends Error {}

/** A backend with a device that fails on demand. */
function fake() {
  let lose: (info: { reason: string; message: string }) => void = () => {};
  let report: (event: { error: Error }) => void = () => {};
  const acquired: number[] = [];
  const backend = {
    device: {
      limits: { maxBufferSize: 1000, maxStorageBufferBindingSize: 800 },
      lost: new Promise((resolve) => {
        lose = resolve;
      }),
      addEventListener: (_: string, listener: typeof report) => {
        report = listener;
      },
      removeEventListener: (_: string, listener: typeof report) => {
        if (report === listener) report = () => {};
      },
    },
    bufferManager: { numBytesUsed: 3 * 2 ** 20, acquireBuffer: (size: number) => acquired.push(size) },
    read: async () => 'values',
    readSync: () => 'values',
    tensorMap: new Map<unknown, { readonly values: unknown }>([
      ['uploaded', { values: [1] }],
      ['computed', { values: null }],
    ]),
  } as unknown as WebGpuBackend;
  const removeGuard = guardBackend(backend);
  return {
    backend,
    removeGuard,
    acquired,
    lose: (info: Parameters<typeof lose>[0]) => lose(info),
    report: (error: Error) => report({ error }),
  };
}

describe('a guarded WebGPU backend', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('creates buffers and reads as usual while nothing fails', async () => {
    const { backend, acquired } = fake();
    backend.bufferManager.acquireBuffer(800, 0);
    expect(acquired).toEqual([800]);
    expect(await backend.read({})).toBe('values');
  });

  it('rejects a buffer beyond the device limits before creating it', () => {
    const { backend, acquired } = fake();
    expect(() => backend.bufferManager.acquireBuffer(801, 0)).toThrow(
      expect.objectContaining({ code: 'out-of-memory', details: { requestedBytes: 801, limitBytes: 800 } }),
    );
    expect(acquired).toEqual([]);
  });

  it('throws at the next buffer and the next read after the device is lost', async () => {
    const { backend, lose } = fake();
    lose({ reason: 'unknown', message: 'driver reset' });
    await Promise.resolve();
    await Promise.resolve();
    expect(() => backend.bufferManager.acquireBuffer(1, 0)).toThrow(/device was lost \(unknown\): driver reset/);
    await expect(backend.read({})).rejects.toMatchObject({ code: 'backend-lost' });
  });

  it('distinguishes out-of-memory from other errors, and keeps the first error', async () => {
    const full = fake();
    full.report(new GPUOutOfMemoryError('no more'));
    full.report(new Error('a consequence'));
    await expect(full.backend.read({})).rejects.toMatchObject({
      code: 'out-of-memory',
      message: expect.stringMatching(/3\.0 MiB in use: no more.*a smaller batch/),
    });
    const wrong = fake();
    wrong.report(new Error('invalid bind group'));
    await expect(wrong.backend.read({})).rejects.toMatchObject({ code: 'backend-lost' });
  });

  it('says how to read a computed tensor in Node, where it cannot be read synchronously', () => {
    const { backend } = fake();
    const [uploaded, computed] = ['uploaded', 'computed'] as unknown as [object, object];
    expect(backend.readSync(uploaded)).toBe('values');
    expect(() => backend.readSync(computed)).toThrow(/in Node, use `await tensor\.data\(\)`/);
    vi.stubGlobal('OffscreenCanvas', class {});
    expect(backend.readSync(computed)).toBe('values');
  });

  it('behaves as before after the guard is removed', async () => {
    const { backend, acquired, removeGuard, report, lose } = fake();
    removeGuard();
    report(new Error('invalid bind group'));
    lose({ reason: 'unknown', message: 'driver reset' });
    await Promise.resolve();
    backend.bufferManager.acquireBuffer(801, 0);
    expect(acquired).toEqual([801]);
    expect(await backend.read({})).toBe('values');
  });
});
