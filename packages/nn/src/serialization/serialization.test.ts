import { LocalgradError } from '@localgrad/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { activationFromPyTorch, activationToPyTorch, weightFromPyTorch, weightToPyTorch } from './pytorch.js';
import { readSafetensors, type StoredTensor, writeSafetensors } from './safetensors.js';

const file = {
  tensors: new Map<string, StoredTensor>([
    ['a', { dtype: 'F32', shape: [2, 1], data: Float32Array.from([1.5, -2]) }],
    ['b', { dtype: 'U8', shape: [3], data: Uint8Array.from([1, 2, 3]) }],
    ['c', { dtype: 'I32', shape: [], data: Int32Array.from([-7]) }],
  ]),
  metadata: { json: '{"x":1}' },
};

describe('safetensors', () => {
  it('reads what it writes', () => {
    expect(readSafetensors(writeSafetensors(file))).toEqual(file);
    expect(readSafetensors(Buffer.concat([Buffer.from(writeSafetensors(file))]))).toEqual(file);
  });

  it('notices truncation at any byte', () => {
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
      /inside the tensor before/,
    ],
    [{ a: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } }, /type F64/],
  ])('refuses headers that contradict themselves: %j', (header, message) => {
    const json = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + json.length + 16);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });
});

describe('PyTorch layouts', () => {
  it('convert there and back, entry by entry', () => {
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
