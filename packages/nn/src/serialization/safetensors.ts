import { LocalgradError } from '@localgrad/core';

export type StoredType = 'F32' | 'I32' | 'U8';

export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

const bytesPer: Readonly<Record<StoredType, number>> = { F32: 4, I32: 4, U8: 1 };
const maximumHeader = 100_000_000;

/**
 * Reads a safetensors file: an eight-byte length, a JSON header, raw little-endian data.
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
  let header: Record<string, { dtype: StoredType; shape: number[]; data_offsets: [number, number] }> = {};
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch (error) {
    fail(`byte 8: the header is not JSON: ${(error as Error).message}.`);
  }
  const { __metadata__: metadata = {}, ...entries } = header as never as Record<string, never> & {
    __metadata__?: Record<string, string>;
  };
  const tensors = new Map<string, StoredTensor>();
  const start = 8 + length;
  let end = 0;
  const described = Object.entries(entries as typeof header).sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0],
  );
  for (const [name, { dtype, shape, data_offsets: range }] of described) {
    if (!Object.hasOwn(bytesPer, dtype)) fail(`tensor '${name}' has type ${dtype}; F32, I32 and U8 can be read.`);
    const size = shape.reduce((product, extent) => product * extent, 1) * bytesPer[dtype];
    const [from, to] = range;
    if (to - from !== size)
      fail(`tensor '${name}' of shape [${shape.join(', ')}] needs ${size} bytes, but has ${to - from}.`);
    if (from < end) fail(`tensor '${name}' starts at byte ${from} of the data, inside the tensor before it.`);
    if (start + to > bytes.length)
      fail(`tensor '${name}' ends at byte ${start + to}, but the file has ${bytes.length} bytes.`);
    end = to;
    // A copy: the data need not be aligned. (`slice` of a Node Buffer would be none.)
    const raw = new Uint8Array(bytes.subarray(start + from, start + to)).buffer;
    const data = dtype === 'F32' ? new Float32Array(raw) : dtype === 'I32' ? new Int32Array(raw) : new Uint8Array(raw);
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata };
}

/** The inverse of `readSafetensors`. */
export function writeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const result = new Uint8Array(8 + padded + offset).fill(32, 8, 8 + padded);
  new DataView(result.buffer).setBigUint64(0, BigInt(padded), true);
  result.set(json, 8);
  let position = 8 + padded;
  for (const { data } of tensors.values()) {
    result.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return result;
}
