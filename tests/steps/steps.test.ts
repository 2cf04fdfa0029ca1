import { cifarResNet, tinyNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import type { LocalLearningMethod } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { dni } from '@localgrad/dni';
import type { MemoryPolicy } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { infopro } from '@localgrad/infopro';
import { MemoryMeter } from '@localgrad/kernels';
import { headNames } from '@localgrad/nn/heads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCleanLearning } from './clean-learning.fixture.js';
import { rig, tinyShape } from './rig.fixture.js';

/** The wide head and longer runs are in steps.slow.test.ts; the others do not fit this network. */
const quickHeads = headNames.filter(
  (name) =>
    !['dgl-128x512', 'infopro-imagenet', 'infopro-segmentation', 'mmsegmentation-fcn', 'class-token'].includes(name),
);

describe('training steps on wasm', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  it.each([
    [1, backprop(), 'residuals', 1],
    [4, greedy(), 'residuals', 1],
    [16, greedy(), 'residuals', 1],
    [16, dgl({ head: '1c2f' }), 'residuals', 1],
    [16, dgl(), 'residuals', 1],
    [16, infopro({ reconstruct: 'input' }), 'residuals', 1],
    [4, infopro({ reconstruct: 'input' }), 'recompute', 1],
    [4, backprop(), 'recompute', 1],
    [1, backprop(), 'residuals', 4],
    [4, greedy(), 'residuals', 3],
    [4, dni(), 'residuals', 1],
    [4, dni({ conditional: true }), 'recompute', 2],
  ] as const)(
    'ResNet-32, K = %i: predicted and measured peak memory agree within 10 %',
    (modules, method, memory, accumulate) => {
      const meter = new MemoryMeter();
      const rigged = rig(cifarResNet({ depth: 32 }), method, modules, [32, 32, 3], 8, memory, accumulate);
      rigged.run(1);
      meter.reset();
      rigged.run(1);
      const predicted = rigged.predict();
      expect(meter.peakBytes / predicted).toBeGreaterThan(0.9);
      expect(meter.peakBytes / predicted).toBeLessThan(1.1);
      rigged.dispose();
      expect(meter.liveBytes).toBe(0);
      meter.detach();
    },
  );

  const methods: [string, LocalLearningMethod][] = [
    ['backprop', backprop()],
    ['greedy', greedy()],
    ...quickHeads.map((head): [string, LocalLearningMethod] => [`dgl with ${head}`, dgl({ head })]),
  ];

  it.each(methods)('%s leaves no tensor behind in 50 steps, and learns', (_, method) => {
    expectCleanLearning(backend, method, 50);
  });

  it('are bit-identical for equal seeds, with and without recomputation', () => {
    const once = (memory: MemoryPolicy) => {
      const rigged = rig(tinyNet(), dgl(), 3, tinyShape, 10, memory);
      rigged.run(5);
      const weights = rigged.weights();
      rigged.dispose();
      return weights;
    };
    const straight = once('residuals');
    expect(once('residuals')).toEqual(straight);
    expect(once('recompute')).toEqual(straight);
  });

  it('need at most a quarter of the memory of end-to-end training for DGL in 16 modules, as predicted', () => {
    const [end, local] = [backprop(), dgl()].map((method, index) => {
      const meter = new MemoryMeter();
      const rigged = rig(cifarResNet({ depth: 32 }), method, index === 0 ? 1 : 16, [32, 32, 3], 64);
      rigged.run(1);
      meter.reset();
      rigged.run(1);
      const [predicted, measured] = [rigged.predict(), meter.peakBytes];
      rigged.dispose();
      meter.detach();
      expect(measured / predicted).toBeGreaterThan(0.999);
      expect(measured / predicted).toBeLessThan(1.001);
      return measured;
    });
    expect((local ?? 0) / (end ?? 0)).toBeLessThan(0.25);
  });

  it('have lower peak memory with more modules', () => {
    const peak = (method: LocalLearningMethod, modules: number) => {
      const rigged = rig(cifarResNet({ depth: 32 }), method, modules, [32, 32, 3], 8);
      const { stepBytes } = rigged.compiled.predict(64);
      rigged.dispose();
      return stepBytes;
    };
    const endToEnd = peak(backprop(), 1);
    expect(peak(greedy(), 4)).toBeLessThan(0.5 * endToEnd);
    expect(peak(dgl({ head: '1c2f' }), 16)).toBeLessThan(0.25 * endToEnd);
  });
});
