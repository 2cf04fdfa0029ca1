import { currentKernels, describeKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { backendNames, diagnose, requireBackend, selectBackend } from './index.js';
import { tensorflow, tensorflowGpu } from './tensorflow/descriptor.js';

afterEach(() => vi.restoreAllMocks());

describe('selectBackend', () => {
  it('auto selects the backend that diagnose reports, and explains why', async () => {
    // Native TensorFlow, where it is installed, does not stay in the process of other tests.
    for (const native of [tensorflow, tensorflowGpu]) {
      vi.spyOn(native, 'probe').mockResolvedValue({ available: false, reason: 'left out', device: '', hardware: true });
    }
    const { selected, backends } = await diagnose();
    const handle = await selectBackend('auto', { threads: 1 });
    expect(handle.name).toBe(selected);
    expect(handle.reason).toContain('fastest');
    for (const { name, available, hardware } of backends) {
      if (name === selected) break;
      expect(available && hardware, `${name}, which comes before ${selected}`).toBe(false);
      expect(handle.reason).toContain(`${name}: `);
    }
    handle.dispose();
  });

  it('selects cpu for several users at once, who may leave in any order', async () => {
    const gradientKernel = () => tf.getKernel('ResizeBilinearGrad', 'cpu').kernelFunc as unknown;
    const gradientOf = (resize: typeof tf.image.resizeBilinear) => {
      const enlarged = (x: tf.Tensor) => tf.sum(tf.square(resize(x as tf.Tensor4D, [4, 6])));
      return [
        ...tf
          .grad(enlarged)(tf.reshape(tf.range(0, 12), [2, 2, 3, 1]))
          .dataSync(),
      ];
    };
    const gradients = () => [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor].map(gradientOf);
    const before = gradientKernel();
    const [first, expected] = [await selectBackend('cpu'), gradients()];
    const second = await selectBackend('cpu');
    expect(gradients()).toEqual(expected);
    first.dispose();
    expect(gradients()).toEqual(expected);
    second.dispose();
    expect(gradientKernel()).toBe(before);
  });

  it('has the errors of requireBackend, which starts nothing', async () => {
    const absent = { available: false, reason: 'No driver.', howToGetIt: 'Install one.', device: '', hardware: true };
    vi.spyOn(tensorflowGpu, 'probe').mockResolvedValue(absent);
    const start = vi.spyOn(tensorflowGpu, 'start');
    const message = "Backend 'tensorflow-gpu' is not available: No driver. Install one.";
    for (const check of [requireBackend, selectBackend]) {
      await expect(check('tensorflow-gpu')).rejects.toMatchObject({ code: 'backend-unavailable', message });
      await expect(check('foo')).rejects.toMatchObject({ code: 'unknown-name' });
    }
    expect(start).not.toHaveBeenCalled();
    const before = tf.getBackend();
    await requireBackend('wasm');
    await requireBackend();
    expect(tf.getBackend()).toBe(before);
  });

  it('starts wasm with the training kernels', async () => {
    const handle = await selectBackend('wasm', { threads: 1 });
    expect(tf.getBackend()).toBe('wasm');
    expect(describeKernels()).toMatchObject({ backend: 'wasm', name: 'wasm-simd', stock: [] });
    expect(handle.availableBytes()).toBeGreaterThan(2 ** 30);
    const before = handle.availableBytes();
    const tensor = tf.zeros([1024, 1024]);
    tensor.dataSync();
    expect(before - handle.availableBytes()).toBeGreaterThanOrEqual(4 * 1024 * 1024);
    tensor.dispose();
    handle.dispose();
  });

  it('starts the reference backend by name', async () => {
    const handle = await selectBackend('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect(currentKernels().name).toBe('stock');
    expect(handle.threads).toBe(1);
  });

  it('lists the allowed backends and options', async () => {
    await expect(selectBackend('wsam')).rejects.toThrow(/Did you mean 'wasm'.*auto.*wasm.*cpu/);
    await expect(selectBackend('wasm', { thread: 2 } as never)).rejects.toThrow(/Did you mean 'threads'/);
    await expect(selectBackend('wasm', { threads: 0 })).rejects.toThrow(/1 to 64/);
  });
});

describe('diagnose', () => {
  it('reports every backend without starting one', async () => {
    const report = await diagnose();
    expect(report.backends.map(({ name }) => name)).toEqual(backendNames.slice(1));
    expect(report.environment.tfjs).toBe('4.22.0');
  });
});
