import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { WasmOptions, WasmRuntime } from './start.js';

/** A package that is installed twice, or reloaded during development: its modules run again on the same TensorFlow.js. */
async function loadCopy(): Promise<(options: WasmOptions) => Promise<WasmRuntime>> {
  vi.resetModules();
  const { startWasm } = await import('./start.js');
  return async (options) => {
    const runtime = await startWasm(options);
    runtimes.push(runtime);
    return runtime;
  };
}

const runtimes: WasmRuntime[] = [];
afterEach(() => {
  for (const runtime of runtimes.splice(0)) runtime.dispose();
});

describe('two copies of the package in one process', () => {
  it.each([
    ['one thread', { threads: 1 }, 'simd'],
    ['two threads', { threads: 2 }, 'threaded-simd'],
    ['no SIMD', { simd: false }, 'plain'],
  ] as const)('start backends of their own: the second with %s', async (_, options, build) => {
    const first = await loadCopy();
    await first({ threads: 2 });
    const ended = tf.backend();
    const second = await loadCopy();
    const { facts } = await second(options);
    expect(facts.build).toBe(build);
    // The threads of the first one have ended; operations would wait for them forever.
    expect(tf.backend()).not.toBe(ended);
  });

  it('register the factory of TensorFlow.js again, whichever is disposed last', async () => {
    const [first, second] = [await loadCopy(), await loadCopy()];
    const one = await first({ threads: 2 });
    const two = await second({ threads: 2 });
    const ended = tf.backend();
    two.dispose();
    one.dispose();
    await tf.setBackend('wasm');
    expect(tf.backend()).not.toBe(ended);
    expect([...tf.square(tf.tensor1d([1, -2])).dataSync()]).toEqual([1, 4]);
  });

  it('keep the backend of the second when the first is disposed', async () => {
    const [first, second] = [await loadCopy(), await loadCopy()];
    const one = await first({ threads: 2 });
    await second({ threads: 2 });
    one.dispose();
    expect(tf.getBackend()).toBe('wasm');
  });
});
