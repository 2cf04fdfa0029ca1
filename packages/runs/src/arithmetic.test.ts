import { describe, expect, it } from 'vitest';
import { type Arithmetic, arithmeticDifference, arithmeticOf } from './arithmetic.js';

describe('arithmeticOf', () => {
  it('states whether the wasm backend uses relaxed SIMD', () => {
    expect(arithmeticOf({ name: 'wasm', facts: { simd: true, relaxedSimd: true } })).toEqual({
      backend: 'wasm',
      relaxedSimd: true,
    });
    expect(arithmeticOf({ name: 'cpu', facts: {} })).toEqual({ backend: 'cpu' });
  });

  it('states whether a GPU rounds to TF32', () => {
    const facts = { tensorflow: '2.18.1', gpu: true, tf32: true };
    expect(arithmeticOf({ name: 'tensorflow-gpu', facts })).toEqual({ backend: 'tensorflow-gpu', tf32: true });
  });

  it('states whether native TensorFlow uses oneDNN', () => {
    const facts = { tensorflow: '2.15.0', gpu: false, oneDnn: true };
    expect(arithmeticOf({ name: 'tensorflow', facts })).toEqual({ backend: 'tensorflow', oneDnn: true });
  });
});

describe('arithmeticDifference', () => {
  const relaxed: Arithmetic = { backend: 'wasm', relaxedSimd: true };
  const portable: Arithmetic = { backend: 'wasm', relaxedSimd: false };
  const earlier: Arithmetic = { backend: 'wasm' };
  const rounding: Arithmetic = { backend: 'tensorflow-gpu', tf32: true };
  const exact: Arithmetic = { backend: 'tensorflow-gpu', tf32: false };
  const oneDnn: Arithmetic = { backend: 'tensorflow', oneDnn: true };

  it.each<[string, Arithmetic, Arithmetic, string | undefined]>([
    ['the same variant', relaxed, relaxed, undefined],
    ['no relaxed SIMD, as in earlier versions', earlier, portable, undefined],
    ['relaxed SIMD afterwards', earlier, relaxed, 'was started without relaxed SIMD and is resumed with it'],
    ['relaxed SIMD before', relaxed, portable, 'was started with relaxed SIMD and is resumed without it'],
    ['TF32 before', rounding, exact, 'was started with TF32 and is resumed without it'],
    ['oneDNN now', { ...oneDnn, oneDnn: false }, oneDnn, 'was started without oneDNN and is resumed with it'],
    ['a checkpoint that does not say whether oneDNN was used', { backend: 'tensorflow' }, oneDnn, undefined],
    ['another backend', relaxed, { backend: 'cpu' }, "was started on backend 'wasm' and is resumed on 'cpu'"],
  ])('for %s', (_, before, now, expected) => {
    expect(arithmeticDifference(before, now)).toBe(expected);
  });
});
