import { LocalgradError } from '@localgrad/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { binary } from '../generated/threaded-simd.js';
import { createSingleThreadPool, type KernelFunctions } from './pool.js';
import { createThreadPool, type ThreadPool } from './thread-pool.js';
import { maximumArguments } from './worker.js';

const COUNT = 64;
let memory: WebAssembly.Memory;
let module: WebAssembly.Module;
let functions: KernelFunctions;
let pool: ThreadPool | undefined;

beforeEach(async () => {
  memory = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
  module = await WebAssembly.compile(Buffer.from(binary, 'base64'));
  functions = (await WebAssembly.instantiate(module, { env: { memory, abort() {} } })).exports as KernelFunctions;
});
afterEach(() => {
  pool?.dispose();
  pool = undefined;
});

/** y = a + b by the kernel `add`, one element per piece; y is stored after a and b. */
function addPieces(run: (piece: number) => readonly number[], target: ThreadPool): Float32Array {
  const all = new Float32Array(memory.buffer, 0, 3 * COUNT);
  for (let i = 0; i < 2 * COUNT; i++) all[i] = i;
  all.fill(-1, 2 * COUNT);
  target.run('add', COUNT, run);
  target.wait();
  return all.slice(2 * COUNT);
}
const element = (piece: number) => [0, 4 * COUNT, 8 * COUNT, piece, piece + 1] as const;
const sums = Float32Array.from({ length: COUNT }, (_, i) => 2 * i + COUNT);

function caught(run: () => void): LocalgradError {
  try {
    run();
  } catch (error) {
    if (LocalgradError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
}

describe('thread pool', () => {
  it.each([2, 3, 5])('runs every piece exactly once on %i threads, in many calls', async (threads) => {
    pool = await createThreadPool(module, functions, memory, { threads });
    expect(pool.threads).toBe(threads);
    for (let round = 0; round < 200; round++) expect(addPieces(element, pool)).toEqual(sums);
    const counter = new Float32Array(memory.buffer, 4096, COUNT).fill(0);
    const ones = new Float32Array(memory.buffer, 8192, COUNT).fill(1);
    for (let round = 0; round < 200; round++) pool.run('add', COUNT, (piece) => [4096, 8192, 4096, piece, piece + 1]);
    pool.wait();
    expect([...counter]).toEqual([...ones].map(() => 200));
  });

  it.each([1, 2, 3])('runs even pieces, of which the last is shorter, on %i threads', async (threads) => {
    pool = await createThreadPool(module, functions, memory, { threads });
    const alone = createSingleThreadPool(functions);
    const all = new Float32Array(memory.buffer, 0, 3 * COUNT);
    for (const size of [1, 5, COUNT]) {
      for (const target of [pool, alone]) {
        for (let i = 0; i < 2 * COUNT; i++) all[i] = i;
        all.fill(-1, 2 * COUNT);
        target.runEvenly('add', { count: Math.ceil((COUNT - 1) / size), size, items: COUNT - 1 }, [
          0,
          4 * COUNT,
          8 * COUNT,
        ]);
        target.wait();
        expect(all.slice(2 * COUNT)).toEqual(Float32Array.from(sums).fill(-1, COUNT - 1));
      }
    }
    alone.dispose();
  });

  it.each([maximumArguments, 1, 4])('passes %i arguments and the number of the thread', async (length) => {
    let found: number[] = [];
    const add = (...values: number[]) => {
      found = values;
    };
    pool = await createThreadPool(module, { ...functions, add }, memory, { threads: 1 });
    const values = Array.from({ length }, (_, at) => at + 0.5);
    pool.run('add', 2, () => values);
    pool.wait();
    expect(found.slice(0, length + 1)).toEqual([...values, 0]);
    if (length < 3) return;
    pool.runEvenly('add', { count: 2, size: 3, items: 5 }, [7], values.slice(3));
    pool.wait();
    expect(found.slice(0, length + 1)).toEqual([7, 3, 5, ...values.slice(3), 0]);
  });

  it.each([1, 2, 3, 5])('runs calls in their order, while the caller continues, on %i threads', async (threads) => {
    pool = await createThreadPool(module, functions, memory, { threads });
    expect(pool.isIdle).toBe(true);
    const [sum, one, partial] = [4096, 8192, 16_384];
    const all = (pointer: number, length: number) => new Float32Array(memory.buffer, pointer, length);
    all(sum, COUNT).fill(0);
    all(one, COUNT).fill(1);
    // Each call reads what the one before wrote, in other pieces.
    for (let round = 1; round <= 100; round++) {
      pool.run('add', COUNT, (piece) => [sum, one, partial, piece, piece + 1]);
      pool.runEvenly('add', { count: 2, size: 40, items: COUNT }, [partial, one, sum]);
      pool.run('add', 1, () => [sum, one, sum, 0, COUNT]);
    }
    pool.wait();
    expect(pool.isIdle).toBe(true);
    expect([...all(sum, COUNT)]).toEqual(Array(COUNT).fill(300));
  });

  it.each([1, 2, 3])('runs pieces whose condition an earlier call has set, on %i threads', async (threads) => {
    const alone = createSingleThreadPool(functions);
    pool = await createThreadPool(module, functions, memory, { threads });
    const [words, zeros, y] = [4096, 8192, 16_384];
    const integers = new Int32Array(memory.buffer, words, COUNT);
    new Int32Array(memory.buffer, zeros, COUNT).fill(0);
    const results = new Float32Array(memory.buffer, y, COUNT);
    for (const target of [pool, alone]) {
      integers.fill(0).fill(1, 10, 20);
      results.fill(-1);
      // Copies the words, which are then read as conditions.
      target.run('copyRows', 2, (piece) => [words, zeros, 32 * piece, 32 * (piece + 1), 4, 4, 4]);
      const ofPiece = (piece: number) => [y, y, y, piece, piece + 1];
      target.run('add', COUNT, ofPiece, { pointer: zeros, step: 4 });
      target.runEvenly('add', { count: 4, size: 16, items: COUNT }, [y, y, y], [], { pointer: zeros, step: 0 });
      target.runEvenly('add', { count: 4, size: 16, items: COUNT }, [y, y, y], [], { pointer: zeros + 40, step: 0 });
      target.wait();
      expect([...results]).toEqual(Array.from(results, (_, piece) => (piece >= 10 && piece < 20 ? -4 : -2)));
    }
  });

  it('wakes workers that sleep', async () => {
    // In this thread the kernel waits until a worker has run a piece.
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const results = () => new Float32Array(memory.buffer, 16, 2);
    const add = () => {
      const deadline = Date.now() + 10_000;
      while (results().every((value) => value === 0) && Date.now() < deadline) Atomics.wait(pause, 0, 0, 1);
    };
    pool = await createThreadPool(module, { ...functions, add }, memory, { threads: 2 });
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      new Float32Array(memory.buffer, 0, 4).fill(1);
      results().fill(0);
      pool.run('add', 2, (piece) => [0, 8, 16, piece, piece + 1]);
      pool.wait();
      expect(results()).toContain(2);
    }
  });

  it('reports a kernel that fails on any thread, and continues afterwards', async () => {
    pool = await createThreadPool(module, functions, memory, { threads: 2 });
    const outside = 2 ** 31;
    for (const bad of [0, COUNT - 1]) {
      const error = caught(() =>
        addPieces((piece) => (piece === bad ? [outside, 0, 0, 0, 4] : element(piece)), pool as ThreadPool),
      );
      expect(error.code).toBe('backend-lost');
      expect(error.message).toContain("The wasm kernel 'add' failed");
    }
    expect(addPieces(element, pool)).toEqual(sums);
  });

  it('reports a dead thread instead of waiting for it', async () => {
    pool = await createThreadPool(module, functions, memory, { threads: 3 });
    await pool.workers[0]?.terminate();
    const error = caught(() => addPieces(element, pool as ThreadPool));
    expect(error.code).toBe('backend-lost');
    expect(error.message).toMatch(/thread .* died .*'add': it ended with code 1/);
  });

  it('reports a piece that is not finished within the timeout', async () => {
    // In this thread the kernel is a pause, in which the worker takes the other piece; the worker adds for seconds.
    const pause = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    pool = await createThreadPool(module, { ...functions, sumArrays: pause }, memory, {
      threads: 2,
      timeoutMilliseconds: 50,
    });
    const run = () => pool?.run('sumArrays', 2, () => [0, 64, 2 ** 31 - 1, 0, 0, 4]);
    run();
    const error = caught(() => pool?.wait());
    expect(error.code).toBe('backend-lost');
    expect(error.message).toContain('no progress for 0.05 s');
    expect(caught(run).message).toContain('no progress');
    expect(caught(() => pool?.wait()).message).toContain('no progress');
    await pool.workers[0]?.terminate();
  });

  it('waits for a long piece although the machine sleeps meanwhile', async () => {
    // As above; the clock jumps by an hour whenever it is read.
    const pause = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    pool = await createThreadPool(module, { ...functions, sumArrays: pause }, memory, { threads: 2 });
    let hours = 0;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => 3_600_000 * hours++);
    try {
      pool.run('sumArrays', 2, () => [0, 64, 2 ** 29, 0, 0, 4]);
      pool.wait();
    } finally {
      clock.mockRestore();
    }
    expect(pool.isIdle).toBe(true);
  });

  it('rejects work after disposal, unknown kernels, and too many pieces', async () => {
    pool = await createThreadPool(module, functions, memory, { threads: 2 });
    expect(() => pool?.run('subtract', 2, () => [])).toThrow(/no kernel 'subtract'; it has .*add/);
    expect(() => pool?.run('add', 257, () => [])).toThrow(/at most 256/);
    expect(() => pool?.runEvenly('add', { count: 2, size: 1, items: 2 }, Array(19).fill(0))).toThrow(/at most 20/);
    pool.dispose();
    pool.dispose();
    expect(caught(() => pool?.run('add', 2, element)).code).toBe('misuse');
    const single = createSingleThreadPool(functions);
    single.dispose();
    expect(caught(() => single.run('add', 2, element)).code).toBe('misuse');
  });
});
