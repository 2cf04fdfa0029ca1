import type { StoredTensor } from '@localgrad/nn/serialization';
import { describe, expect, it } from 'vitest';
import { decodeBatches, encodeBatches, storedHeaderBytes } from './stored-batch.js';

const tensor = (dtype: 'F32' | 'I32', shape: readonly number[]): StoredTensor => {
  const size = shape.reduce((product, length) => product * length, 1);
  return { dtype, shape, data: dtype === 'F32' ? new Float32Array(size).fill(0.5) : new Int32Array(size).fill(7) };
};

describe('a stored batch', () => {
  it.each([1, 2, 32, 300])('fits into a slot with its header, and returns from it: %i micro-batches', (parts) => {
    const targets = ['labels', 'masks', 'ziel "Größe"\n→ 目標'];
    const batches = Array.from({ length: parts }, () => {
      const named = targets.map((name) => [`targets/${name}`, tensor('I32', [3, 10, 10])] as const);
      return new Map([['images', tensor('F32', [3, 10, 10, 16])], ...named]);
    });
    const bytes = encodeBatches(batches);
    const numbers = 4 * parts * (3 * 10 * 10 * 16 + targets.length * 3 * 10 * 10);
    expect(bytes.length).toBeGreaterThan(numbers);
    expect(bytes.length).toBeLessThanOrEqual(numbers + storedHeaderBytes(targets, parts));
    expect(decodeBatches(bytes)).toEqual(batches);
  });
});
