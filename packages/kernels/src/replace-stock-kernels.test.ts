import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { replaceStockKernels } from './replace-stock-kernels.js';

const registered = () => tf.getKernel('Square', 'cpu').kernelFunc as unknown;
const kernel = () => () => ({ dataId: {}, shape: [], dtype: 'float32' }) as tf.TensorInfo;

describe('replaceStockKernels', () => {
  it.each([
    ['in the order of replacement', [0, 1, 2]],
    ['in reverse', [2, 1, 0]],
    ['the middle one first', [1, 0, 2]],
    ['the middle one last', [0, 2, 1]],
    ['some of them twice', [0, 0, 2, 2, 1]],
  ])('leaves the stock kernel when all replacements are restored: %s', (_, order) => {
    const stock = registered();
    const kernels = [kernel(), kernel(), kernel()];
    const restore = kernels.map((Square) => replaceStockKernels('cpu', { Square }));
    const alive = new Set([0, 1, 2]);
    for (const index of order) {
      restore[index]?.();
      alive.delete(index);
      expect(registered()).toBe([...alive].length === 0 ? stock : kernels[Math.max(...alive)]);
    }
    expect(alive.size).toBe(0);
    expect(registered()).toBe(stock);
  });

  it('sets up the stock kernel, which a replacement may call, on every new backend', async () => {
    const backends: unknown[] = [];
    const stock = { kernelName: 'Square', backendName: 'other', kernelFunc: kernel() };
    tf.registerKernel({ ...stock, setupFunc: (backend) => void backends.push(backend) });
    const restore = [1, 2].map(() => replaceStockKernels('other', { Square: kernel() }));
    const started: tf.KernelBackend[] = [];
    for (const _ of [1, 2]) {
      tf.registerBackend('other', () => new OtherBackend());
      await tf.setBackend('other');
      started.push(tf.backend());
      tf.removeBackend('other');
    }
    for (const one of restore) one();
    tf.unregisterKernel('Square', 'other');
    await tf.setBackend('cpu');
    expect(backends).toEqual(started);
    expect(backends[0]).not.toBe(backends[1]);
  });
});

class OtherBackend extends tf.KernelBackend {
  override dispose(): void {}
}
