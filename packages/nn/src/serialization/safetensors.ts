import { LocalgradError, shown } from '@localgrad/core';
import { metadataKey, readSafetensorsHeader } from './safetensors-header.js';
import { encode, fileTypes, isFileType, type StoredTensor } from './stored-types.js';

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file: an eight-byte length, a JSON header, raw little-endian data. Short floats become F32, short
 * integers I32. Accepts what the reference reader accepts, except tensors in float formats below 16 bits and complex ones.
 *
 * @param where the file's name, for messages
 * @throws LocalgradError `invalid-data`; files of `torch.save`, archives and web pages are named, with the command that helps
 */
export function readSafetensors(bytes: Uint8Array, where = 'safetensors data'): TensorFile {
  const { entries, metadata, dataStart } = readSafetensorsHeader(bytes, where);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, range } of entries) {
    if (!isFileType(dtype)) continue;
    const type = fileTypes[dtype];
    const [from, to] = range;
    try {
      // A copy: the data need not be aligned. (`slice` of a Node Buffer would be none.)
      const data = type.decode(new Uint8Array(bytes.subarray(dataStart + from, dataStart + to)).buffer);
      tensors.set(name, { dtype: type.dtype, shape, data });
    } catch (error) {
      const message = `${where}: tensor ${shown(name)} of type ${dtype} cannot be read: ${(error as Error).message}.`;
      throw new LocalgradError('invalid-data', message, { where });
    }
  }
  return { tensors, metadata };
}

/** The inverse of `readSafetensors`. @throws LocalgradError `invalid-data` */
export function writeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  if (tensors.has(metadataKey)) {
    throw new LocalgradError('invalid-data', `No tensor can be called '${metadataKey}' in a safetensors file.`);
  }
  const header: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [[metadataKey, metadata]];
  const contents = new Map([...tensors].map(([name, tensor]) => [name, encode(tensor)]));
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const size = contents.get(name)?.length ?? 0;
    header.push([name, { dtype, shape, data_offsets: [offset, offset + size] }]);
    offset += size;
  }
  // `fromEntries` makes '__proto__' a name like any other.
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
