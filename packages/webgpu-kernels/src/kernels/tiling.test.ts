import { describe, expect, it } from 'vitest';
import { architectureOf, defaultTiling, type TilingChoice, tilingOf, useTilings } from './tiling.js';

const tiling = { rows: 128, columns: 16, depth: 8, vectors: true, workgroups: 512 };
const other = { ...tiling, rows: 32 };
/** The same filter gradient at two batch sizes, and another layer. */
const choices: readonly TilingChoice[] = [
  { kernel: 'conv2dFilterGradient', rows: 144, columns: 16, depth: 128 * 1024, tiling },
  { kernel: 'conv2dFilterGradient', rows: 144, columns: 16, depth: 1024 * 1024, tiling: other },
  { kernel: 'conv2dFilterGradient', rows: 27, columns: 16, depth: 128 * 1024, tiling: other },
];
const gradient = (depth: number) => ({ key: 'conv2dFilterGradient activated', rows: 144, columns: 16, depth });

describe('tilingOf', () => {
  it('returns the default without measurements of the architecture', () => {
    const backend = { device: {} };
    expect(tilingOf(backend, gradient(1024))).toEqual(defaultTiling(16));
    useTilings(backend);
    expect(tilingOf(backend, gradient(1024))).toEqual({
      rows: 64,
      columns: 16,
      depth: 16,
      vectors: false,
      workgroups: 256,
    });
    expect([1, 16, 17, 33].map((columns) => defaultTiling(columns).columns)).toEqual([16, 16, 32, 64]);
  });

  it('returns the choice for the same layer at the closest batch size', () => {
    const backend = { device: {} };
    useTilings(backend, choices);
    expect(tilingOf(backend, gradient(64 * 1024))).toBe(tiling);
    expect(tilingOf(backend, gradient(900 * 1024))).toBe(other);
  });

  it('returns the default for other kernels and layers', () => {
    const backend = { device: {} };
    useTilings(backend, choices);
    expect(tilingOf(backend, { ...gradient(1024), key: 'conv2d' })).toEqual(defaultTiling(16));
    expect(tilingOf(backend, { ...gradient(1024), columns: 32 })).toEqual(defaultTiling(32));
    expect(tilingOf(backend, { ...gradient(5), rows: 288 })).toEqual(defaultTiling(16));
  });
});

describe('architectureOf', () => {
  it('joins vendor and architecture', () => {
    expect(architectureOf({ adapterInfo: { vendor: 'nvidia', architecture: 'hopper' } })).toBe('nvidia hopper');
    expect(architectureOf({})).toBe('');
  });
});
