import { findBackendFactory, registerBackend, removeBackend } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { startStockTapeStep } from './stock-tape-step.js';

// Files share a process: another one may have left a wasm backend whose threads have ended.
beforeAll(() => {
  const factory = findBackendFactory('wasm');
  if (factory === undefined || factory === null) return;
  removeBackend('wasm');
  registerBackend('wasm', factory);
});

describe('stock tape on the stock wasm backend', () => {
  it('runs a step and counts what it needs', async () => {
    const step = await startStockTapeStep({ backbone: 'resnet8', width: 4, batch: 4, image: [16, 16, 3], classes: 10 });
    await step();
    const [first, second] = [await step(), await step()];
    expect(first.milliseconds).toBeGreaterThan(0);
    expect(second.peakBytes).toBe(first.peakBytes);
    // Three stages of activations of 16·16·4 floats, 4 images: the tape keeps dozens of them.
    expect(first.peakBytes).toBeGreaterThan(20 * 4 * 4 * 16 * 16 * 4);
  });
});
