import { backboneFactory, type NamedBackboneOptions } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { dgl } from '@localgrad/dgl';
import { MemoryMeter } from '@localgrad/kernels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rig } from './rig.fixture.js';

describe('training steps of the papers’ networks on wasm', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  it.each<[string, NamedBackboneOptions, number]>([
    ['resnet18', { width: 16 }, 64],
    ['resnext50-32x4d', { width: 16, layers: [1, 1, 1, 1] }, 64],
    ['vgg13', { width: 8, hidden: 32, dropout: 0.2 }, 32],
    ['vgg8b', { width: 8, hidden: 32, activation: 'leakyRelu' }, 32],
    ['densenet-bc-16-12', {}, 32],
    ['wide-resnet-10-2', {}, 32],
    ['vit', { width: 48, heads: 3, depth: 4, patch: 4 }, 32],
  ])('%s %o: predicted and measured peak memory agree within 10 %, and no tensor is left', (name, options, size) => {
    for (const [modules, method] of [[1, backprop()] as const, [3, dgl({ head: '1c2f' })] as const]) {
      const meter = new MemoryMeter();
      const rigged = rig(backboneFactory(name, options), method, modules, [size, size, 3], 8);
      rigged.run(1);
      meter.reset();
      rigged.run(1);
      const ratio = meter.peakBytes / rigged.predict();
      expect(ratio, `${modules} modules`).toBeGreaterThan(0.9);
      expect(ratio, `${modules} modules`).toBeLessThan(1.1);
      rigged.dispose();
      expect(meter.liveBytes).toBe(0);
      meter.detach();
    }
  });
});
