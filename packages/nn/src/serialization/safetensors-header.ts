import { LocalgradError, messageOf, printable, shortened, shown } from '@localgrad/core';
import { foreignFile } from './foreign-file.js';
import { type HeaderJson, type HeaderObject, isHeaderObject, parseHeaderJson } from './header-json.js';
import { fileTypes, isFileType, otherTypes } from './stored-types.js';

/** A tensor's type, shape and position in the file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Byte range, relative to the start of the data. */
  readonly range: readonly [from: number, to: number];
}

export interface SafetensorsHeader {
  /** Sorted by position. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Byte offset of the data in the file. */
  readonly dataStart: number;
}

export type Fail = (message: string) => never;

export const metadataKey = '__metadata__';
const maximumHeader = 100_000_000;
const maximumSize = 2n ** 64n - 1n;

/**
 * Reads and validates a header without reading tensors. Accepts and rejects exactly what the reference reader does
 * (Rust's `safetensors` 0.8).
 *
 * @param where file name used in messages
 * @throws LocalgradError `invalid-data`
 */
export function readSafetensorsHeader(bytes: Uint8Array, where: string): SafetensorsHeader {
  const fail: Fail = (message) => {
    throw new LocalgradError('invalid-data', `${where}: ${message}`, { where });
  };
  const failAsForeign: Fail = (message) => fail(foreignFile(bytes, where) ?? message);
  if (bytes.length < 8) {
    failAsForeign(`expected a header length of 8 bytes, found ${bytes.length} bytes.`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > maximumHeader || 8n + length > bytes.length) {
    failAsForeign(
      `byte 0: expected the length of a header, found ${length} in a file of ${bytes.length} bytes: the file is truncated, or not a safetensors file.`,
    );
  }
  const dataStart = 8 + Number(length);
  let header: HeaderJson = null;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataStart));
    header = parseHeaderJson(text);
  } catch (error) {
    failAsForeign(`byte 8: the header is not JSON: ${messageOf(error)}.`);
  }
  if (!isHeaderObject(header)) return fail('byte 8: the header is not a JSON object.');
  const metadata = metadataOf(header, fail);
  const tensors = header.entries.filter(([name]) => name !== metadataKey);
  // Every entry is validated; of entries with equal names, the last one counts.
  const byName = new Map(tensors.map(([name, entry]) => [name, entryOf(name, entry, fail)]));
  const entries = [...byName.values()].sort((a, b) => a.range[0] - b.range[0] || a.range[1] - b.range[1]);
  checkRanges(entries, bytes.length - dataStart, dataStart, fail);
  return { entries, metadata, dataStart };
}

/** The value of a key that must not occur twice. */
function only({ entries }: HeaderObject, key: string, failTwice: () => never): HeaderJson | undefined {
  const found = entries.filter(([name]) => name === key);
  return found.length > 1 ? failTwice() : found[0]?.[1];
}

function metadataOf(header: HeaderObject, fail: Fail): Record<string, string> {
  const metadata = only(header, metadataKey, () => fail(`the header contains '${metadataKey}' twice.`)) ?? null;
  if (metadata === null) return {};
  if (!isHeaderObject(metadata)) return fail(`'${metadataKey}' is not a JSON object.`);
  const texts: [string, string][] = [];
  for (const [key, value] of metadata.entries) {
    if (typeof value !== 'string') return fail(`'${metadataKey}': expected a string for ${shown(key)}.`);
    texts.push([key, value]);
  }
  return Object.fromEntries(texts);
}

function entryOf(name: string, entry: HeaderJson, fail: Fail): TensorEntry {
  const quoted = shown(name);
  if (!isHeaderObject(entry)) return fail(`tensor ${quoted} must have dtype, shape and data_offsets.`);
  const problem = (key: string, expected: string): never =>
    fail(`tensor ${quoted} must have dtype, shape and data_offsets: expected ${expected} for ${key}.`);
  const field = (key: string) => only(entry, key, () => fail(`tensor ${quoted} has ${key} twice.`));
  const dtype = field('dtype');
  if (typeof dtype !== 'string') return problem('dtype', 'a type');
  const shape = sizesOf(field('shape'));
  if (shape === undefined) return problem('shape', 'a list of sizes');
  const [from, to, ...more] = sizesOf(field('data_offsets')) ?? [];
  if (from === undefined || to === undefined || more.length > 0) return problem('data_offsets', 'two sizes');
  if (!isFileType(dtype) && !otherTypes.has(dtype)) {
    fail(`tensor ${quoted} has type ${printable(shortened(dtype))}; ${readable} can be read.`);
  }
  const bytes = sizeOf(dtype, shape);
  if (bytes === undefined) {
    return fail(
      `tensor ${quoted} of shape [${shortened(shape.join(', '))}] does not occupy a whole number of bytes below 2⁶⁴.`,
    );
  }
  if (to - from !== bytes) {
    fail(`tensor ${quoted} of shape [${shortened(shape.join(', '))}] needs ${bytes} bytes, but has ${to - from}.`);
  }
  if (!isFileType(dtype)) {
    fail(`tensor ${quoted} has type ${dtype}; ${readable} can be read. Convert it, e.g. with .float() in PyTorch.`);
  }
  return { name, dtype, shape: shape.map(Number), range: [Number(from), Number(to)] };
}

const readable = Object.keys(fileTypes).join(', ');

function sizesOf(value: HeaderJson | undefined): bigint[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const sizes = value.filter((size): size is bigint => typeof size === 'bigint' && size <= maximumSize);
  return sizes.length === value.length ? sizes : undefined;
}

/**
 * Bytes of a tensor; undefined if the product overflows (multiplied in the order of the reference reader) or is not a
 * whole number of bytes.
 */
function sizeOf(dtype: string, shape: readonly bigint[]): bigint | undefined {
  const bits = isFileType(dtype) ? 8 * fileTypes[dtype].bytes : (otherTypes.get(dtype) ?? 0);
  let count = 1n;
  for (const extent of shape) {
    count *= extent;
    if (count > maximumSize) return undefined;
  }
  const total = count * BigInt(bits);
  return total > maximumSize || total % 8n !== 0n ? undefined : total / 8n;
}

/** Checks that the tensors cover the data without gaps, overlaps or trailing bytes. */
function checkRanges(entries: readonly TensorEntry[], found: number, dataStart: number, fail: Fail): void {
  let end = 0;
  for (const { name, range } of entries) {
    const [from, to] = range;
    if (from < end) fail(`tensor ${shown(name)} starts at byte ${from} of the data, inside the preceding tensor.`);
    if (from > end) fail(`bytes ${end} to ${from} of the data, before tensor ${shown(name)}, belong to no tensor.`);
    if (to > found) {
      fail(`tensor ${shown(name)} ends at byte ${dataStart + to}, but the file has ${dataStart + found} bytes.`);
    }
    end = to;
  }
  if (end < found) fail(`byte ${dataStart + end}: ${found - end} bytes after the last tensor belong to no tensor.`);
}
