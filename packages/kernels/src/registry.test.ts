import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { describeKernels } from './describe-kernels.js';
import { contractVersion, currentKernels, registerTrainingKernels } from './registry.js';
import { stockKernels } from './stock-kernels.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const named = (name: string) => ({ ...stockKernels, name });
const holder = () => tf.backend() as object as Record<symbol, unknown>;
const property = Symbol.for('localgrad.kernels');

describe('registerTrainingKernels', () => {
  it('registers kernels for one backend instance, and restores the previous ones', () => {
    expect(currentKernels()).toBe(stockKernels);
    const [elsewhere, outer, inner] = [named('elsewhere'), named('outer'), named('inner')];
    registerTrainingKernels(elsewhere, {});
    expect(currentKernels()).toBe(stockKernels);
    const unregisterOuter = registerTrainingKernels(outer);
    const unregisterInner = registerTrainingKernels(inner);
    expect(currentKernels()).toBe(inner);
    unregisterInner();
    expect(currentKernels()).toBe(outer);
    unregisterOuter();
    expect(currentKernels()).toBe(stockKernels);
  });

  it('does not remove kernels that replaced the registered ones', () => {
    const unregisterFirst = registerTrainingKernels(named('first'));
    const second = named('second');
    registerTrainingKernels(second);
    unregisterFirst();
    expect(currentKernels()).toBe(second);
    holder()[property] = undefined;
  });

  it('is shared with other copies of the package', async () => {
    vi.resetModules();
    const copy = await import('./index.js');
    expect(copy.currentKernels).not.toBe(currentKernels);
    const mine = { ...named('mine'), accumulate: <T extends tf.Tensor>(a: T, b: T) => tf.add<T>(a, b) };
    const unregister = registerTrainingKernels(mine);
    expect(copy.currentKernels()).toBe(mine);
    expect(copy.describeKernels()).toEqual(describeKernels());
    unregister();
    expect(copy.currentKernels().name).toBe('stock');
  });

  it('rejects kernels of another contract version instead of using slow ones', () => {
    holder()[property] = { version: contractVersion + 1, kernels: named('newer'), stock: [] };
    onTestFinished(() => {
      holder()[property] = undefined;
    });
    for (const use of [currentKernels, describeKernels, () => registerTrainingKernels(named('mine'))]) {
      let caught: unknown;
      try {
        use();
      } catch (error) {
        caught = error;
      }
      expect(LocalgradError.isInstance(caught) && caught.code).toBe('misuse');
      expect(String(caught)).toContain(
        `backend 'cpu' were registered by another version of @localgrad/kernels (contract version ${contractVersion + 1}; this copy has ${contractVersion})`,
      );
      expect(String(caught)).toContain('npm ls @localgrad/kernels');
    }
  });
});

describe('describeKernels', () => {
  it('lists every operation as stock if no kernels are registered', () => {
    const { backend, name, own, stock } = describeKernels();
    expect({ backend, name, own }).toEqual({ backend: 'cpu', name: 'stock', own: [] });
    const functions = Object.entries(stockKernels).filter(([, value]) => typeof value === 'function');
    expect([...stock].sort()).toEqual(functions.map(([key]) => key).sort());
  });

  it('separates registered operations from those of the stock reference', () => {
    const matMul: typeof stockKernels.matMul = (a, b, transposeA, transposeB) =>
      tf.matMul(a, b, transposeA, transposeB);
    const unregister = registerTrainingKernels({ ...named('mine'), matMul });
    const { name, own, stock } = describeKernels();
    expect({ name, own }).toEqual({ name: 'mine', own: ['matMul'] });
    expect(stock).toContain('conv2d');
    expect(stock).not.toContain('matMul');
    unregister();
  });
});
