import { LocalgradError } from '@localgrad/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { activationFromPyTorch, activationToPyTorch, weightFromPyTorch, weightToPyTorch } from './pytorch.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import type { StoredTensor } from './stored-types.js';

const file = {
  tensors: new Map<string, StoredTensor>([
    ['a', { dtype: 'F32', shape: [2, 1], data: Float32Array.from([1.5, -2]) }],
    ['b', { dtype: 'U8', shape: [3], data: Uint8Array.from([1, 2, 3]) }],
    ['c', { dtype: 'I32', shape: [], data: Int32Array.from([-7]) }],
    ['d', { dtype: 'I64', shape: [3], data: Float64Array.from([0, -1, 2 ** 53 - 1]) }],
    ['e', { dtype: 'F64', shape: [1], data: Float64Array.from([Math.PI]) }],
    ['f', { dtype: 'BOOL', shape: [2], data: Uint8Array.from([1, 0]) }],
  ]),
  metadata: { json: '{"x":1}' },
};

function handMade(header: unknown, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

describe('safetensors', () => {
  it('reads what it writes', () => {
    expect(readSafetensors(writeSafetensors(file))).toEqual(file);
    expect(readSafetensors(Buffer.concat([Buffer.from(writeSafetensors(file))]))).toEqual(file);
  });

  it('detects truncation at any byte', () => {
    const bytes = writeSafetensors(file);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        expect(() => readSafetensors(bytes.slice(0, length), 'x.safetensors')).toThrow(LocalgradError);
      }),
    );
  });

  it.each([
    [{ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, /needs 8 bytes, but has 4/],
    [
      { a: { dtype: 'U8', shape: [2], data_offsets: [0, 2] }, b: { dtype: 'U8', shape: [2], data_offsets: [1, 3] } },
      /inside the preceding tensor/,
    ],
    [{ a: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, /type F8_E4M3; F64, F32, F16/],
    [{ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, /must have dtype, shape and data_offsets/],
    [{ a: null }, /must have/],
    [[], /not a JSON object/],
    [{ a: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, /outside ±\(2⁵³ − 1\)/],
  ])('rejects the inconsistent header %j', (header, message) => {
    expect(() => readSafetensors(handMade(header, new Uint8Array(8).fill(0x7f)))).toThrow(message);
  });

  it('preserves tensors and metadata with names such as __proto__', () => {
    const tensors = new Map<string, StoredTensor>(
      ['__proto__', 'constructor', '2', '1'].map((name, index) => [
        name,
        { dtype: 'U8', shape: [1], data: Uint8Array.of(index) },
      ]),
    );
    const read = readSafetensors(writeSafetensors({ tensors, metadata: Object.fromEntries([['__proto__', 'x']]) }));
    expect([...read.tensors]).toEqual([...tensors]);
    expect(Object.entries(read.metadata)).toEqual([['__proto__', 'x']]);
    const reserved = new Map<string, StoredTensor>([
      ['__metadata__', { dtype: 'U8', shape: [0], data: new Uint8Array() }],
    ]);
    expect(() => writeSafetensors({ tensors: reserved, metadata: {} })).toThrow(/cannot be named '__metadata__'/);
  });

  it('widens small and unsigned integers', () => {
    const header = {
      u64: { dtype: 'U64', shape: [1], data_offsets: [0, 8] },
      u32: { dtype: 'U32', shape: [1], data_offsets: [8, 12] },
      i16: { dtype: 'I16', shape: [1], data_offsets: [12, 14] },
      u16: { dtype: 'U16', shape: [1], data_offsets: [14, 16] },
      i8: { dtype: 'I8', shape: [1], data_offsets: [16, 17] },
    };
    const data = Uint8Array.from([1, 0, 0, 0, 0, 0, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
    const { tensors } = readSafetensors(handMade(header, data));
    const values = Object.keys(header).map((name) => [tensors.get(name)?.dtype, tensors.get(name)?.data[0]]);
    expect(values).toEqual([
      ['I64', 2 ** 48 + 1],
      ['I64', 2 ** 32 - 1],
      ['I32', -1],
      ['I32', 65535],
      ['I32', -1],
    ]);
  });

  it('truncates long names and escapes control characters in messages', () => {
    const header = { [`\u001b[31m${'x'.repeat(100_000)}`]: { dtype: 'U8', shape: [2], data_offsets: [0, 1] } };
    expect(() => readSafetensors(handMade(header, new Uint8Array(1)))).toThrow(/^.{1,400}$/);
    expect(() => readSafetensors(handMade(header, new Uint8Array(1)))).toThrow('\\x1b[31mxxx');
  });

  it('reads 16-bit floats as floats', () => {
    // 1, −2, the smallest subnormal and +∞ of each.
    const halves = Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x7c00]);
    const brains = Uint16Array.from([0x3f80, 0xc000, 0x0001, 0x7f80]);
    const header = {
      half: { dtype: 'F16', shape: [4], data_offsets: [0, 8] },
      brain: { dtype: 'BF16', shape: [4], data_offsets: [8, 16] },
    };
    const { tensors } = readSafetensors(
      handMade(header, Buffer.concat([halves, brains].map(({ buffer }) => Buffer.from(buffer)))),
    );
    const { POSITIVE_INFINITY } = Number;
    expect(tensors.get('half')).toEqual({
      dtype: 'F32',
      shape: [4],
      data: Float32Array.from([1, -2, 2 ** -24, POSITIVE_INFINITY]),
    });
    expect(tensors.get('brain')?.data).toEqual(Float32Array.from([1, -2, 2 ** -133, POSITIVE_INFINITY]));
  });

  it('rejects values that are not integers when writing I64', () => {
    const tensors = new Map<string, StoredTensor>([
      ['x', { dtype: 'I64', shape: [1], data: Float64Array.from([0.5]) }],
    ]);
    expect(() => writeSafetensors({ tensors, metadata: {} })).toThrow(/0.5 cannot be written as I64/);
  });
});

describe('PyTorch layouts', () => {
  it('convert to ours and back, entry by entry', () => {
    const weight = { shape: [2, 3, 1, 2], data: Float32Array.from({ length: 12 }, (_, index) => index) };
    const ours = weightFromPyTorch(weight);
    expect(ours.shape).toEqual([1, 2, 3, 2]);
    // w[o = 1, i = 2, h = 0, w = 1] = 11
    expect(ours.data[((0 * 2 + 1) * 3 + 2) * 2 + 1]).toBe(11);
    expect(weightToPyTorch(ours)).toEqual(weight);
    const activation = { shape: [2, 3, 2, 2], data: Float32Array.from({ length: 24 }, (_, index) => index) };
    expect(activationFromPyTorch(activation).data.slice(0, 3)).toEqual(Float32Array.from([0, 4, 8]));
    expect(activationToPyTorch(activationFromPyTorch(activation))).toEqual(activation);
    expect(weightFromPyTorch({ shape: [2, 3], data: Float32Array.from([0, 1, 2, 3, 4, 5]) }).data).toEqual(
      Float32Array.from([0, 3, 1, 4, 2, 5]),
    );
  });
});
