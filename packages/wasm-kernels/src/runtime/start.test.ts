import { LocalgradError } from '@localgrad/core';
import { currentKernels, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startWasm, type WasmOptions, type WasmRuntime } from './start.js';

const started: WasmRuntime[] = [];
async function start(options: WasmOptions): Promise<WasmRuntime> {
  const runtime = await startWasm(options);
  started.push(runtime);
  return runtime;
}
afterEach(() => {
  for (const runtime of started.splice(0)) runtime.dispose();
});

/** What TensorFlow.js does not declare. */
interface StockBackend {
  readonly wasm: { readonly PThread: { readonly unusedWorkers: object[]; readonly runningWorkers: object[] } };
}

const values = (tensor: tf.Tensor) => [...tensor.dataSync()];

/** Input gradient of a convolution by automatic differentiation of stock operations. */
function inputGradient(): number[] {
  return tf.tidy(() => {
    const x = tf.ones<tf.Rank.R4>([2, 5, 5, 3]);
    const filter = tf.ones<tf.Rank.R4>([3, 3, 3, 4]);
    const loss = (image: tf.Tensor) => tf.sum(tf.square(tf.conv2d(image as tf.Tensor4D, filter, 2, 'same')));
    return values(tf.grad(loss)(x));
  });
}

// Order matters: threads first, as in a fresh process, where only the stock factory is registered.
describe('startWasm', () => {
  it('starts the threaded build, with a heap that threads share', async () => {
    const { facts, heap, kernels } = await start({ threads: 2 });
    expect(facts).toEqual({ build: 'threaded-simd', threads: 2, simd: true, relaxedSimd: true });
    expect(heap.shared).toBe(true);
    expect(currentKernels()).toBe(kernels);
  });

  it.skipIf(process.platform === 'win32')('starts threads without a temporary folder', async () => {
    vi.stubEnv('TMPDIR', '/localgrad-nonexistent');
    try {
      expect((await start({ threads: 2 })).facts.threads).toBe(2);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it.each([2, 3, 8])('starts no more threads than %i, including the main one', async (threads) => {
    await start({ threads });
    const { unusedWorkers, runningWorkers } = (tf.backend() as unknown as StockBackend).wasm.PThread;
    expect([unusedWorkers.length, runningWorkers.length]).toEqual([0, threads - 1]);
  });

  it('computes the same bits on one thread and on two', async () => {
    const once = async (threads: number) => {
      const { kernels } = await start({ threads });
      const x = tf.tensor4d(
        Float32Array.from({ length: 40 * 16 * 16 * 8 }, (_, i) => Math.sin(i)),
        [40, 16, 16, 8],
      );
      const { mean, variance } = kernels.batchStatistics(x);
      const dw = kernels.conv2dFilterGradient(x, x, [3, 3, 8, 8], { stride: 1, padding: 1 });
      return [mean, variance, dw].map(values);
    };
    expect(await once(1)).toEqual(await once(2));
  });

  it.each([
    [{}, true],
    [{ relaxedSimd: true }, true],
    [{ relaxedSimd: false }, false],
    [{ simd: false }, false],
    [{ simd: false, relaxedSimd: true }, false],
  ])('sets relaxed SIMD by its options: %j yields %s', async (options, expected) => {
    expect((await start({ threads: 1, ...options })).facts.relaxedSimd).toBe(expected);
  });

  it('rounds a product and a sum once with relaxed SIMD, and twice without', async () => {
    const rounded = async (relaxedSimd: boolean) => {
      const { kernels } = await start({ threads: 1, relaxedSimd });
      // (1 + 2⁻¹²)² is 1 + 2⁻¹¹ + 2⁻²⁴, whose last term is lost if the product is rounded to 24 bits before 1 is subtracted.
      const factor = 1 + 2 ** -12;
      const x = tf.tensor4d([factor, -1], [1, 1, 1, 2]);
      const filter = tf.tensor4d(
        [factor, 1].flatMap((value) => new Array<number>(8).fill(value)),
        [1, 1, 2, 8],
      );
      return values(kernels.conv2d(x, filter, { stride: 1, padding: 0 }))[0];
    };
    const twice = 2 ** -11;
    expect(await rounded(false)).toBe(twice);
    expect([twice, twice + 2 ** -24]).toContain(await rounded(true));
  });

  it('rejects a tensor that exceeds the heap, and keeps all others', async () => {
    const { heap } = await start({ threads: 2, limitBytes: 64 * 2 ** 20 });
    const kept = tf.ones([1024]);
    const before = heap.usedBytes();
    let caught: unknown;
    try {
      tf.tidy(() => tf.zeros([20 * 2 ** 20]).dataSync());
    } catch (error) {
      caught = error;
    }
    expect(LocalgradError.isInstance(caught) && caught.code).toBe('out-of-memory');
    expect((caught as LocalgradError).message).toMatch(
      /83886080 bytes were requested, and \d+ of 67108864 bytes are in use/,
    );
    expect(heap.usedBytes()).toBeLessThanOrEqual(before + 4096);
    expect(kept.dataSync().every((value) => value === 1)).toBe(true);
  });

  it('rejects options that do not exist or are out of range', async () => {
    await expect(startWasm({ threads: 0 })).rejects.toThrow(/'auto' or an integer from 1 to 64/);
    await expect(startWasm({ thread: 1 } as never)).rejects.toThrow(/Did you mean 'threads'/);
  });
});

describe('a second startWasm', () => {
  it.each([1, 2])('shares the running backend if the settings are the same: %i threads', async (threads) => {
    const first = await start({ threads });
    const backend = tf.backend();
    const tensor = tf.tensor1d([1, 2, 3]);
    const second = await start({ threads });
    const third = await start({});
    expect(tf.backend()).toBe(backend);
    expect(third.facts).toEqual(first.facts);
    second.dispose();
    third.dispose();
    expect(values(first.kernels.accumulate(tensor, tensor.clone()))).toEqual([2, 4, 6]);
    first.dispose();
    expect(() => first.kernels.batchStatistics(tf.ones([1, 2, 2, 3]))).toThrow();
  });

  it('shares the backend of a start in progress', async () => {
    const [first, second] = await Promise.all([start({ threads: 2 }), start({ threads: 2 })]);
    expect(second.heap).toBe(first.heap);
    expect(second.kernels).toBe(first.kernels);
  });

  it.each([
    [1, 2],
    [2, 1],
    [2, 3],
  ])('moves tensors when it replaces a backend with %i threads by one with %i', async (before, after) => {
    const first = await start({ threads: before });
    const [x, y] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([4, 5, 6])];
    const alias = x.clone();
    const second = await start({ threads: after });
    expect(second.facts.threads).toBe(after);
    expect(() => first.kernels.accumulate(x.clone(), y)).toThrow(/disposed|not on the wasm heap/);
    first.dispose();
    expect(tf.getBackend()).toBe('wasm');
    expect(values(second.kernels.accumulate(x, y))).toEqual([5, 7, 9]);
    expect(values(tf.mul(alias, y))).toEqual([4, 10, 18]);
  });
});

describe('WasmRuntime.dispose', () => {
  const kernelNames = ['Conv2DBackpropFilter', 'Conv2DBackpropInput', 'Identity', 'UnsortedSegmentSum'];
  const registered = () => kernelNames.map((name) => tf.getKernel(name, 'wasm'));

  it.each<WasmOptions>([{ threads: 2 }, { threads: 1 }, { simd: false }])(
    'undoes the start with %j',
    async (options) => {
      await import('@tensorflow/tfjs-backend-wasm');
      await tf.setBackend('cpu');
      const [factory, before] = [tf.findBackendFactory('wasm'), registered()];
      const expected = inputGradient();
      const runtime = await startWasm(options);
      expect(inputGradient()).toEqual(expected);
      const tensor = tf.tensor1d([1, 2, 3]);
      runtime.dispose();
      runtime.dispose();
      expect(registered()).toEqual(before);
      expect(tf.findBackendFactory('wasm')).toBe(factory);
      expect(currentKernels()).toBe(stockKernels);
      // Stock operations work as before, on tensors of the disposed backend too.
      await tf.setBackend('wasm');
      expect(values(tf.mul(tensor, 2))).toEqual([2, 4, 6]);
      expect(inputGradient()).toEqual(expected);
      await tf.setBackend('cpu');
    },
  );

  it('restores the previous backend, and moves tensors of both', async () => {
    await tf.setBackend('cpu');
    const older = tf.tensor1d([1, 2, 3]);
    const runtime = await startWasm({ threads: 2 });
    const newer = tf.tensor1d([4, 5, 6]);
    runtime.dispose();
    expect(tf.getBackend()).toBe('cpu');
    expect(values(tf.add(older, newer))).toEqual([5, 7, 9]);
  });

  it('allows a start with SIMD after one without', async () => {
    (await startWasm({ simd: false })).dispose();
    const { facts } = await start({ threads: 1 });
    expect(facts.build).toBe('simd');
    expect(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')).toBe(true);
  });

  it('reports a dead thread of the stock backend, and allows a new start', async () => {
    await start({ threads: 2 });
    const backend = tf.backend() as unknown as {
      wasm: { PThread: { unusedWorkers: Thread[]; runningWorkers: Thread[] } };
    };
    const { unusedWorkers, runningWorkers } = backend.wasm.PThread;
    const kept = tf.tensor1d([1, 2, 3]);
    const [thread] = [...runningWorkers, ...unusedWorkers];
    await thread?.terminate();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(() => tf.tidy(() => tf.conv2d(tf.ones<tf.Rank.R4>([8, 9, 9, 4]), tf.ones([3, 3, 4, 4]), 1, 'same'))).toThrow(
      expect.objectContaining({ code: 'backend-lost' }),
    );
    expect(values(kept)).toEqual([1, 2, 3]);
    await start({ threads: 2 });
    expect(values(tf.add(kept, 1))).toEqual([2, 3, 4]);
    expect(inputGradient().every(Number.isFinite)).toBe(true);
  });
});

interface Thread {
  terminate(): Promise<number>;
}
