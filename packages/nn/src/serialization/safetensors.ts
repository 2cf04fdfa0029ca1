import { LocalgradError } from '@localgrad/core';
import { encode, fileTypes, type StoredTensor } from './stored-types.js';

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly dtype: keyof typeof fileTypes;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [from: number, to: number];
}

const maximumHeader = 100_000_000;

/**
 * Reads a safetensors file: an eight-byte length, a JSON header, raw little-endian data. F16 and BF16 become F32.
 *
 * @param where the file's name, for messages
 * @throws LocalgradError `invalid-data` for truncation, ranges that overlap, leave the file or disagree with shapes
 */
export function readSafetensors(bytes: Uint8Array, where = 'safetensors data'): TensorFile {
  const fail = (message: string): never => {
    throw new LocalgradError('invalid-data', `${where}: ${message}`, { where });
  };
  if (bytes.length < 8) fail(`expected a header length of 8 bytes, found ${bytes.length} bytes.`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > maximumHeader || 8 + length > bytes.length) {
    fail(
      `byte 0: the header is said to have ${length} bytes, but the file has ${bytes.length}: truncated, or no safetensors file.`,
    );
  }
  let header: Record<string, unknown> = {};
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch (error) {
    fail(`byte 8: the header is not JSON: ${(error as Error).message}.`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) fail('byte 8: the header is no object.');
  const { __metadata__: metadata = {}, ...entries } = header;
  for (const [name, entry] of Object.entries(entries)) {
    if (!isEntry(entry)) {
      fail(`tensor '${name}' is not described by dtype, shape and data_offsets, but as ${JSON.stringify(entry)}.`);
    }
  }
  const tensors = new Map<string, StoredTensor>();
  const start = 8 + length;
  let end = 0;
  const described = Object.entries(entries as Record<string, Entry>).sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0],
  );
  for (const [name, { dtype, shape, data_offsets: range }] of described) {
    if (!Object.hasOwn(fileTypes, dtype)) {
      fail(`tensor '${name}' has type ${dtype}; ${Object.keys(fileTypes).join(', ')} can be read.`);
    }
    const type = fileTypes[dtype];
    const size = shape.reduce((product, extent) => product * extent, 1) * type.bytes;
    const [from, to] = range;
    if (to - from !== size)
      fail(`tensor '${name}' of shape [${shape.join(', ')}] needs ${size} bytes, but has ${to - from}.`);
    if (from < end) fail(`tensor '${name}' starts at byte ${from} of the data, inside the tensor before it.`);
    if (start + to > bytes.length)
      fail(`tensor '${name}' ends at byte ${start + to}, but the file has ${bytes.length} bytes.`);
    end = to;
    try {
      // A copy: the data need not be aligned. (`slice` of a Node Buffer would be none.)
      const data = type.decode(new Uint8Array(bytes.subarray(start + from, start + to)).buffer);
      tensors.set(name, { dtype: type.dtype, shape, data });
    } catch (error) {
      fail(`tensor '${name}' of type ${dtype} cannot be read: ${(error as Error).message}.`);
    }
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function isEntry(value: unknown): value is Entry {
  const { dtype, shape, data_offsets: range } = (value ?? {}) as Record<string, unknown>;
  const isCounts = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((count) => Number.isSafeInteger(count) && count >= 0);
  return typeof dtype === 'string' && isCounts(shape) && isCounts(range) && range.length === 2;
}

/** The inverse of `readSafetensors`. */
export function writeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  const contents = new Map([...tensors].map(([name, tensor]) => [name, encode(tensor)]));
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const size = contents.get(name)?.length ?? 0;
    header[name] = { dtype, shape, data_offsets: [offset, offset + size] };
    offset += size;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const result = new Uint8Array(8 + padded + offset).fill(32, 8, 8 + padded);
  new DataView(result.buffer).setBigUint64(0, BigInt(padded), true);
  result.set(json, 8);
  let position = 8 + padded;
  for (const content of contents.values()) {
    result.set(content, position);
    position += content.length;
  }
  return result;
}
