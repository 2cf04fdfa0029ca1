import { at } from '@localgrad/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Constants } from './constants.js';
import type { NativeBinding, NativeValues } from './native-backend.js';

/** Handles that exist, with what was uploaded or filled. */
const handles = new Map<number, string>();
let created = 0;

const native: NativeBinding = {
  TF_Version: '1',
  TF_FLOAT: 1,
  TF_INT32: 3,
  TF_STRING: 7,
  TF_COMPLEX64: 8,
  TF_BOOL: 10,
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
  createTensor(shape: readonly number[], _: number, values: NativeValues) {
    handles.set(++created, `${shape}: ${Array.from<unknown>(values)}`);
    return created;
  },
  deleteTensor(handle: number) {
    if (!handles.delete(handle)) throw new Error(`handle ${handle} is deleted twice`);
  },
  executeOp(name: string, _: unknown, inputs: readonly number[]) {
    handles.set(++created, `${name} ${inputs.map((input) => handles.get(input)).join(' with ')}`);
    return [{ id: created }];
  },
};

let backend: { binding: NativeBinding };
let constants: Constants;
beforeEach(() => {
  handles.clear();
  backend = { binding: native };
  constants = new Constants(backend);
});

const float = (...values: number[]) => backend.binding.createTensor([values.length], 1, Float32Array.of(...values));

describe('Constants', () => {
  it('uploads equal small tensors once, and keeps them after their tensors are gone', () => {
    const [first, second] = [float(1, 2), float(1, 2)];
    expect(second).toBe(first);
    backend.binding.deleteTensor(first);
    backend.binding.deleteTensor(second);
    expect(float(1, 2)).toBe(first);
    expect(handles.size).toBe(1);
  });

  it('distinguishes shapes, types, signs of zero, and NaN', () => {
    const ints = backend.binding.createTensor([1], 3, Int32Array.of(0));
    const scalar = backend.binding.createTensor([], 1, Float32Array.of(0));
    const found = [float(0), float(-0), float(Number.NaN), float(0, 0), ints, scalar];
    expect(new Set(found).size).toBe(6);
    expect(float(Number.NaN)).toBe(found[2]);
  });

  it('fills larger constant tensors on the device', () => {
    const zeros = backend.binding.createTensor([1000], 1, new Float32Array(1000));
    expect(handles.get(zeros)).toBe('Fill 1: 1000 with : 0');
    const mixed = backend.binding.createTensor([1000], 1, new Float32Array(1000).fill(0).fill(-0, 500));
    expect(handles.get(mixed)).toMatch(/^1000: /);
  });

  it('releases what was not used for long, but never a handle in use', () => {
    const held = float(-1);
    const unused = constants.scalar(-2);
    for (let value = 0; value < 600; value++) constants.scalar(value);
    expect(handles.has(unused)).toBe(false);
    expect(handles.has(held)).toBe(true);
    expect(handles.size).toBe(513);
    backend.binding.deleteTensor(held);
    expect(handles.has(held)).toBe(false);
  });

  it('restores the binding once no tensor shares a handle', () => {
    const [one, other] = [float(3), float(3)];
    constants.scalar(4);
    constants.dispose();
    expect(handles.size).toBe(1);
    expect(backend.binding).not.toBe(native);
    const own = float(5);
    expect(own).not.toBe(float(5));
    backend.binding.deleteTensor(one);
    backend.binding.deleteTensor(other);
    expect(backend.binding).toBe(native);
    expect(at([...handles.values()], 0, 'handle')).toBe('1: 5');
  });
});
