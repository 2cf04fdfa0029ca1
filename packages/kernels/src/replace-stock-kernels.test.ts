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
});
