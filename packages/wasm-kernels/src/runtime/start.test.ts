import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from './start.js';

let runtime: WasmRuntime | undefined;
afterEach(() => {
  runtime?.dispose();
  runtime = undefined;
  if (tf.findBackendFactory('wasm') !== null) tf.removeBackend('wasm');
});

// Order matters: threads first, as in a fresh process, where only the stock factory is registered.
describe('startWasm', () => {
  it('starts the threaded build on a heap that threads share', async () => {
    runtime = await startWasm({ threads: 2 });
    expect(runtime.reason).toBeUndefined();
    expect(runtime.build).toBe('threaded-simd');
    expect(runtime.heap.shared).toBe(true);
    expect(runtime.kernels?.threads).toBe(2);
  });

  it('gives the same bits on one and on two threads', async () => {
    const once = async (threads: number) => {
      const started = await startWasm({ threads });
      const kernels = started.kernels as NonNullable<typeof started.kernels>;
      const x = tf.tensor4d(
        Float32Array.from({ length: 40 * 16 * 16 * 8 }, (_, i) => Math.sin(i)),
        [40, 16, 16, 8],
      );
      const { mean, variance } = kernels.batchStatistics(x);
      const dw = kernels.conv2dFilterGradient(x, x, [3, 3, 8, 8], { stride: 1, padding: 1 });
      const values = [mean, variance, dw].map((tensor) => [...tensor.dataSync()]);
      started.dispose();
      tf.removeBackend('wasm');
      return values;
    };
    expect(await once(1)).toEqual(await once(2));
  });

  it('refuses what the heap cannot hold, and loses nothing', async () => {
    runtime = await startWasm({ threads: 2, limitBytes: 64 * 2 ** 20 });
    const kept = tf.ones([1024]);
    const before = runtime.heap.usedBytes();
    let caught: unknown;
    try {
      tf.tidy(() => tf.zeros([20 * 2 ** 20]).dataSync());
    } catch (error) {
      caught = error;
    }
    expect(LocalgradError.isInstance(caught) && caught.code).toBe('out-of-memory');
    expect((caught as LocalgradError).message).toMatch(
      /83886080 bytes were asked for, \d+ of 67108864 bytes are in use/,
    );
    expect(runtime.heap.usedBytes()).toBeLessThanOrEqual(before + 4096);
    expect(kept.dataSync().every((value) => value === 1)).toBe(true);
  });

  it('says which options there are', async () => {
    await expect(startWasm({ threads: 0 })).rejects.toThrow(/'auto' or an integer from 1 to 64/);
    await expect(startWasm({ thread: 1 } as never)).rejects.toThrow(/Did you mean 'threads'/);
  });
});
