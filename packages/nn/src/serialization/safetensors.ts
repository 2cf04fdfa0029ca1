import { LocalgradError, messageOf, shown } from '@localgrad/core';
import { metadataKey, readSafetensorsHeader } from './safetensors-header.js';
import { encode, fileTypes, isFileType, type StoredTensor } from './stored-types.js';

/** Contents of a safetensors file. */
export interface TensorFile {
  /** Tensors by name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Arbitrary strings by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file: an eight-byte length, a JSON header, raw little-endian data. 16-bit floats become F32,
 * small integers I32. Accepts everything that the reference reader accepts, except complex tensors and floats of less
 * than 16 bits.
 *
 * @param where file name used in messages
 * @throws LocalgradError `invalid-data`; for `torch.save` files, archives and web pages the message identifies the
 *   format and how to convert it
 */
export function readSafetensors(bytes: Uint8Array, where = 'safetensors data'): TensorFile {
  const { entries, metadata, dataStart } = readSafetensorsHeader(bytes, where);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, range } of entries) {
    if (!isFileType(dtype)) continue;
    const type = fileTypes[dtype];
    const [from, to] = range;
    try {
      // A copy, because the data may be unaligned. (`slice` of a Node Buffer would not copy.)
      const data = type.decode(new Uint8Array(bytes.subarray(dataStart + from, dataStart + to)).buffer);
      tensors.set(name, { dtype: type.dtype, shape, data });
    } catch (error) {
      const message = `${where}: tensor ${shown(name)} of type ${dtype} cannot be read: ${messageOf(error)}.`;
      throw new LocalgradError('invalid-data', message, { where });
    }
  }
  return { tensors, metadata };
}

/** The inverse of `readSafetensors`. @throws LocalgradError `invalid-data` */
export function writeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  if (tensors.has(metadataKey)) {
    throw new LocalgradError('invalid-data', `A tensor in a safetensors file cannot be named '${metadataKey}'.`);
  }
  const header: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [[metadataKey, metadata]];
  const contents = new Map([...tensors].map(([name, tensor]) => [name, encode(tensor)]));
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const size = contents.get(name)?.length ?? 0;
    header.push([name, { dtype, shape, data_offsets: [offset, offset + size] }]);
    offset += size;
  }
  // `fromEntries` treats '__proto__' as an ordinary key.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
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
