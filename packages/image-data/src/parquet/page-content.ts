import { decompressed } from './codecs.js';
import { invalid } from './invalid.js';
import type { ThriftStruct } from './thrift.js';

/** A column without columns in it. */
export interface Leaf {
  readonly codec: string;
  /** Number of optional columns on its path. */
  readonly levels: number;
}

/** Encodings by number; those without a limit on what a page expands to are missing. */
const encodings: ReadonlyMap<number, 'plain' | 'dictionary' | 'delta'> = new Map([
  [0, 'plain'],
  [2, 'dictionary'],
  [5, 'delta'],
  [6, 'delta'],
  [8, 'dictionary'],
]);
const mostMiniblocks = 1024;

/**
 * Checks the lengths of the runs in a data page: the reader would write them before it compares them with the number of
 * values.
 *
 * @param header header of the page
 * @param page its content, compressed
 * @param expanded its size in bytes that the header declares
 * @throws LocalgradError `invalid-data` without the path, or the error of the decompressor
 */
export function checkPageContent(header: ThriftStruct, page: Uint8Array, expanded: number, leaf: Leaf): void {
  const [first, second] = [structIn(header, 5), structIn(header, 8)];
  if (first !== undefined) {
    const content = new RunReader(decompressed(page, expanded, leaf.codec));
    const values = countIn(first, 1);
    if (leaf.levels > 0) {
      const end = content.uint32() + content.position;
      content.checkRuns(widthOf(leaf.levels), values);
      content.position = end;
    }
    checkValues(content, countIn(first, 2), values);
  }
  if (second !== undefined) {
    const values = countIn(second, 1);
    const [definitions, repetitions] = [countIn(second, 5), countIn(second, 6)];
    if (countIn(second, 2) > values) throw invalid(`a page with more missing values than ${values}`);
    const levels = new RunReader(page);
    levels.position = repetitions;
    if (leaf.levels > 0) levels.checkRuns(widthOf(leaf.levels), values);
    const start = repetitions + definitions;
    if (start > Math.min(expanded, page.length)) throw invalid(`${start} bytes of levels in a page of ${expanded}`);
    const isCompressed = second.get(7) !== false && expanded > start;
    const rest = page.subarray(start);
    const content = isCompressed ? decompressed(rest, expanded - start, leaf.codec) : rest;
    checkValues(new RunReader(content), countIn(second, 4), values);
  }
}

function checkValues(content: RunReader, encoding: number, values: number): void {
  const kind = encodings.get(encoding);
  if (kind === undefined) throw invalid(`values in encoding ${encoding}; write them as PLAIN or with a dictionary`);
  if (content.isAtEnd || kind === 'plain') return;
  if (kind === 'dictionary') {
    content.checkRuns(content.byte(), values);
    return;
  }
  content.varint();
  const miniblocks = content.varint();
  if (miniblocks > mostMiniblocks) throw invalid(`${miniblocks} miniblocks in a block of a page`);
}

const widthOf = (most: number) => 32 - Math.clz32(most);

/** Reads runs as hyparquet does, without their values. */
class RunReader {
  position = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.position >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.position++];
    if (byte === undefined) throw invalid('a page that ends in the middle of a value');
    return byte;
  }

  uint32(): number {
    return this.byte() + 2 ** 8 * this.byte() + 2 ** 16 * this.byte() + 2 ** 24 * this.byte();
  }

  varint(): number {
    let value = 0;
    for (let index = 0; index < 5; index++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * index);
      if (byte < 128) return value;
    }
    throw invalid('a number of more than 5 bytes in a page');
  }

  /** Groups of 8 bit-packed values may exceed the number of values by up to 7. */
  checkRuns(width: number, values: number): void {
    for (let seen = 0; seen < values && !this.isAtEnd; ) {
      const header = this.varint();
      const isPacked = header % 2 === 1;
      const count = Math.floor(header / 2) * (isPacked ? 8 : 1);
      if (count > values + 7) throw invalid(`a run of ${count} values in a page of ${values} values`);
      this.position += isPacked ? (width * count) / 8 : Math.ceil(width / 8);
      seen += count;
    }
  }
}

/** A count in a struct; 0 if it is missing. */
export function countIn(struct: ThriftStruct | undefined, field: number): number {
  const value = struct?.get(field) ?? 0;
  return countOf('values or bytes of a page', typeof value === 'number' ? value : Number.NaN);
}

export function structIn(struct: ThriftStruct, field: number): ThriftStruct | undefined {
  const value = struct.get(field);
  return value instanceof Map ? value : undefined;
}

export function countOf(what: string, value: number | bigint): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 0) throw invalid(`${count} as the number of ${what}`);
  return count;
}
