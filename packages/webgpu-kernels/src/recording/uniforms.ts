import { at } from '@localgrad/core';
import type { UniformField } from '../program.js';

/** The uniforms of one dispatch, as their shader reads them. */
export interface UniformBlock {
  readonly bytes: ArrayBuffer;
  /** Byte offset of each field. */
  readonly offsets: readonly number[];
}

/** Lays out fields as the TensorFlow.js backend does (`makeUniforms`). */
export function packUniforms(fields: readonly UniformField[]): UniformBlock {
  let end = 0;
  let largest = 1;
  let previous = 0;
  const values = fields.map(({ data }) => (data.length === 0 ? [1] : data));
  const offsets = values.map(({ length }) => {
    const own = length === 1 ? 4 : length === 2 ? 8 : 16;
    const alignment = previous === 5 || previous === 6 ? 16 : own;
    largest = Math.max(largest, alignment);
    const offset = roundUp(end, alignment);
    end = offset + 4 * length;
    previous = length;
    return offset;
  });
  const bytes = new ArrayBuffer(roundUp(end, largest));
  fields.forEach(({ type }, index) => {
    const View = type === 'float32' ? Float32Array : type === 'uint32' ? Uint32Array : Int32Array;
    const data = at(values, index, 'uniform');
    new View(bytes, at(offsets, index, 'uniform'), data.length).set(data);
  });
  return { bytes, offsets };
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
