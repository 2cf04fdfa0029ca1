import { LocalgradError } from '@localgrad/core';

/** Data type of a tensor in memory: 64-bit integers are stored as doubles, booleans as bytes 0 and 1. */
export type StoredType = 'F32' | 'F64' | 'I32' | 'I64' | 'U8' | 'BOOL';

/** A tensor as stored in files. */
export interface StoredTensor {
  /** Type of the values. */
  readonly dtype: StoredType;
  /** Shape of the tensor. */
  readonly shape: readonly number[];
  /** Values in row-major order. */
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
}

/** A data type in a file. Smaller floats and integers are widened losslessly when read. */
interface FileType {
  readonly bytes: number;
  readonly dtype: StoredType;
  /** @param raw copy of the tensor's bytes, owned by the result */
  decode(raw: ArrayBuffer): StoredTensor['data'];
}

export const fileTypes = {
  F64: { bytes: 8, dtype: 'F64', decode: (raw) => new Float64Array(raw) },
  F32: { bytes: 4, dtype: 'F32', decode: (raw) => new Float32Array(raw) },
  F16: { bytes: 2, dtype: 'F32', decode: (raw) => Float32Array.from(new Uint16Array(raw), fromHalf) },
  BF16: {
    bytes: 2,
    dtype: 'F32',
    // A bfloat16 is the upper half of a float32.
    decode: (raw) => new Float32Array(Uint32Array.from(new Uint16Array(raw), (bits) => bits << 16).buffer),
  },
  I64: { bytes: 8, dtype: 'I64', decode: (raw) => Float64Array.from(new BigInt64Array(raw), exactNumber) },
  U64: { bytes: 8, dtype: 'I64', decode: (raw) => Float64Array.from(new BigUint64Array(raw), exactNumber) },
  I32: { bytes: 4, dtype: 'I32', decode: (raw) => new Int32Array(raw) },
  U32: { bytes: 4, dtype: 'I64', decode: (raw) => Float64Array.from(new Uint32Array(raw)) },
  I16: { bytes: 2, dtype: 'I32', decode: (raw) => Int32Array.from(new Int16Array(raw)) },
  U16: { bytes: 2, dtype: 'I32', decode: (raw) => Int32Array.from(new Uint16Array(raw)) },
  I8: { bytes: 1, dtype: 'I32', decode: (raw) => Int32Array.from(new Int8Array(raw)) },
  U8: { bytes: 1, dtype: 'U8', decode: (raw) => new Uint8Array(raw) },
  BOOL: { bytes: 1, dtype: 'BOOL', decode: (raw) => new Uint8Array(raw) },
} as const satisfies Record<string, FileType>;

/** Types of the format that are not supported, with their number of bits. */
export const otherTypes: ReadonlyMap<string, number> = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['C64', 64],
]);

export function isFileType(name: string): name is keyof typeof fileTypes {
  return Object.hasOwn(fileTypes, name);
}

/**
 * Encodes a tensor's values as in a file. @throws LocalgradError `invalid-data` for I64 values that are not safe
 * integers
 */
export function encode({ dtype, data }: StoredTensor): Uint8Array {
  if (dtype !== 'I64') return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const integers = new BigInt64Array(data.length);
  data.forEach((value, index) => {
    if (!Number.isSafeInteger(value)) {
      throw new LocalgradError('invalid-data', `${value} cannot be written as I64; allowed: integers up to 2⁵³ − 1.`);
    }
    integers[index] = BigInt(value);
  });
  return new Uint8Array(integers.buffer);
}

function exactNumber(value: bigint): number {
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw new RangeError(`its entry ${value} is outside ±(2⁵³ − 1)`);
  return result;
}

/** IEEE 754 binary16: sign, five bits of exponent, ten of fraction. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
