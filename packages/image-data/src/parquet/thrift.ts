import { invalid } from './invalid.js';

/** A struct of Thrift's compact protocol: values by field number. Binary values are kept as their length only. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;
export type ThriftValue = number | boolean | ThriftStruct | readonly ThriftValue[];

const deepest = 32;
const longestVarint = 10;

const types = {
  stop: 0,
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  struct: 12,
};

/**
 * Reads a struct, with memory and time proportional to its bytes: no list may have more entries than bytes are left. Numbers
 * beyond 2⁵³ lose precision.
 *
 * @throws LocalgradError `invalid-data`
 */
export function readThrift(bytes: Uint8Array): { readonly struct: ThriftStruct; readonly length: number } {
  const reader = new ThriftReader(bytes);
  return { struct: reader.struct(0), length: reader.position };
}

class ThriftReader {
  position = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(depth: number): ThriftStruct {
    if (depth > deepest) throw invalid(`more than ${deepest} levels of nesting`);
    const fields = new Map<number, ThriftValue>();
    let field = 0;
    for (let head = this.#byte(); (head & 15) !== types.stop; head = this.#byte()) {
      field = head >> 4 === 0 ? this.#zigzag() : field + (head >> 4);
      fields.set(field, this.#value(head & 15, depth));
    }
    return fields;
  }

  #value(type: number, depth: number): ThriftValue {
    if (type === types.true || type === types.false) return type === types.true;
    if (type === types.byte) return this.#byte();
    if (type === types.i16 || type === types.i32 || type === types.i64) return this.#zigzag();
    if (type === types.double) return this.#skip(8);
    if (type === types.binary) return this.#skip(this.#varint());
    if (type === types.list) return this.#list(depth);
    if (type === types.struct) return this.struct(depth + 1);
    throw invalid(`a value of the unknown type ${type}`);
  }

  #list(depth: number): readonly ThriftValue[] {
    if (depth > deepest) throw invalid(`more than ${deepest} levels of nesting`);
    const head = this.#byte();
    const size = head >> 4 === 15 ? this.#varint() : head >> 4;
    const left = this.#bytes.length - this.position;
    if (size > left) throw invalid(`a list of ${size} entries in ${left} bytes`);
    const type = head & 15;
    // Entries that are truth values take a byte each, unlike fields.
    const entry = type === types.true || type === types.false ? types.byte : type;
    return Array.from({ length: size }, () => this.#value(entry, depth + 1));
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #varint(): number {
    let value = 0;
    for (let index = 0; index < longestVarint; index++) {
      const byte = this.#byte();
      value += (byte & 127) * 2 ** (7 * index);
      if (byte < 128) return value;
    }
    throw invalid(`a number of more than ${longestVarint} bytes`);
  }

  #skip(length: number): number {
    this.position += length;
    if (this.position > this.#bytes.length) throw invalid(`a value of ${length} bytes that ends after its end`);
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.position++];
    if (byte === undefined) throw invalid('that it ends in the middle of a value');
    return byte;
  }
}
