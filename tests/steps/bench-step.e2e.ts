import type { BenchReport } from '@localgrad/bench';
import { expect, it } from 'vitest';
import { benchReport } from './bench.fixture.js';

it('bench step measures stock TensorFlow.js and one thread beside the engine, each in a process of its own', () => {
  const flags = ['--batch', '4', '--backend', 'wasm', '--threads', '2', '--repeats', '2'];
  flags.push('--include', 'stock-tape,one-thread');
  const { rows, missing } = benchReport<BenchReport>('step', ...flags);
  expect(missing).toEqual([]);
  const [engine, tape] = ['backprop', 'stock-tape'].map((name) => rows.find(({ method }) => method === name));
  for (const row of [engine, tape]) expect(row?.stepMs?.median ?? 0).toBeGreaterThan(0);
  // Three stages of activations of 16·16·4 floats, 4 images: the tape keeps dozens of them, and more than the engine.
  expect(tape?.peakBytes ?? 0).toBeGreaterThan(20 * 4 * 4 * 16 * 16 * 4);
  expect(tape?.peakBytes ?? 0).toBeGreaterThan(engine?.peakBytes ?? 0);
  for (const method of ['backprop', 'backprop+recompute']) {
    const [both, one] = [method, `one-thread ${method}`].map((name) => rows.find((row) => row.method === name));
    expect([both?.threads, one?.threads]).toEqual([2, 1]);
    expect(one?.peakBytes).toBe(both?.peakBytes);
    expect(both?.relativeToOneThread?.time).toBeCloseTo((both?.stepMs.median ?? 0) / (one?.stepMs.median ?? 0), 9);
  }
});
