import { shown } from '@localgrad/core';
import { type DataFile, damaged } from '../files.js';
import { latin1 } from './latin1.js';
import { construct, Pending, type PickleValue, setState, textOf } from './pickle-objects.js';

const mark = Symbol('mark');
type Slot = PickleValue | typeof mark;

/**
 * Reads the plain data and numpy arrays of a pickle, protocols 0 to 5 without the text opcodes. Executes nothing: any other class
 * or function in the file is an error.
 *
 * @throws LocalgradError `invalid-data` that names file, offset and expectation
 */
export function readPickle(file: DataFile): PickleValue {
  return new PickleReader(file).read();
}

class PickleReader {
  readonly #file: DataFile;
  readonly #view: DataView;
  readonly #memo = new Map<number, PickleValue>();
  #stack: Slot[] = [];
  #at = 0;

  constructor(file: DataFile) {
    this.#file = file;
    const { buffer, byteOffset, byteLength } = file.bytes;
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  read(): PickleValue {
    for (;;) {
      const at = this.#at;
      const opcode = this.unsigned(1);
      if (opcode === 0x2e) {
        const result = this.pop();
        if (this.#at < this.#file.bytes.length) {
          throw damaged(
            this.#file,
            this.#at,
            'the end of the file',
            `${this.#file.bytes.length - this.#at} more bytes`,
          );
        }
        return result;
      }
      const operation = operations.get(opcode);
      if (operation === undefined) {
        const found = `opcode 0x${opcode.toString(16).padStart(2, '0')}`;
        throw damaged(this.#file, at, 'a Python pickle of plain data and numpy arrays', found);
      }
      operation(this, at);
    }
  }

  push(value: Slot): void {
    this.#stack.push(value);
  }

  checkProtocol(protocol: number, at: number): void {
    if (protocol > 5) throw damaged(this.#file, at + 1, 'a pickle of protocol 5 or below', `${protocol}`);
  }

  float(): number {
    return this.#view.getFloat64(this.skip(8));
  }

  /** Adds pairs of keys and values to the dictionary below them. */
  setItems(items: readonly PickleValue[]): void {
    const dictionary = this.dictionary();
    for (let index = 0; index + 1 < items.length; index += 2) {
      dictionary.set(items[index] ?? null, items[index + 1] ?? null);
    }
  }

  append(values: readonly PickleValue[]): void {
    const list = this.list();
    for (const value of values) list.push(value);
  }

  memoize(): void {
    this.remember(this.#memo.size);
  }

  call(at: number): void {
    const [values, callee] = [this.pop(), this.pop()];
    this.push(construct(callee, values, (expected, found) => damaged(this.#file, at, expected, found)));
  }

  build(at: number): void {
    const state = this.pop();
    setState(this.peek(), state, (expected, found) => damaged(this.#file, at, expected, found));
  }

  global(name: string, at: number): Pending {
    if (!Pending.allows(name))
      throw damaged(this.#file, at, 'plain data and numpy arrays', `an object of ${shown(name)}`);
    return new Pending(name);
  }

  skip(length: number): number {
    const at = this.#at;
    if (at + length > this.#file.bytes.length) {
      const { bytes } = this.#file;
      throw damaged(
        this.#file,
        bytes.length,
        `${at + length - bytes.length} more bytes`,
        'the end: the file is truncated',
      );
    }
    this.#at += length;
    return at;
  }

  take(length: number): Uint8Array {
    const at = this.skip(length);
    return this.#file.bytes.subarray(at, at + length);
  }

  /** A little-endian integer. */
  unsigned(length: number): number {
    return this.take(length).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  /** A little-endian integer in two's complement. */
  long(length: number): number {
    const bytes = this.take(length);
    const isNegative = ((bytes[length - 1] ?? 0) & 0x80) !== 0;
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0) - (isNegative ? 256 ** length : 0);
  }

  latin1(length: number): string {
    return latin1(this.take(length));
  }

  utf8(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }

  line(): string {
    const end = this.#file.bytes.indexOf(0x0a, this.#at);
    const line = this.utf8((end < 0 ? this.#file.bytes.length + 1 : end) - this.#at);
    this.#at++;
    return line;
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === mark) throw this.#unbalanced();
    return value;
  }

  popMark(): PickleValue[] {
    const values: PickleValue[] = [];
    for (;;) {
      const value = this.#stack.pop();
      if (value === undefined) throw this.#unbalanced();
      if (value === mark) return values.reverse();
      values.push(value);
    }
  }

  peek(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === mark) throw this.#unbalanced();
    return value;
  }

  list(): PickleValue[] {
    const value = this.peek();
    if (!Array.isArray(value)) throw this.#unbalanced();
    return value;
  }

  dictionary(): Map<PickleValue, PickleValue> {
    const value = this.peek();
    if (!(value instanceof Map)) throw this.#unbalanced();
    return value;
  }

  remember(index: number): void {
    this.#memo.set(index, this.peek());
  }

  recall(index: number, at: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw damaged(this.#file, at, `memo ${index}`, 'none: the file is damaged');
    return value;
  }

  #unbalanced() {
    return damaged(this.#file, this.#at, 'another value on the stack', 'none: the file is damaged');
  }
}

type Operation = (reader: PickleReader, at: number) => void;

/** Effects of the opcodes, with their names in Python's pickletools. */
const operations: ReadonlyMap<number, Operation> = new Map(
  Object.entries<Operation>({
    // PROTO, FRAME
    '\x80': (reader, at) => reader.checkProtocol(reader.unsigned(1), at),
    '\x95': (reader) => reader.skip(8),
    '(': (reader) => reader.push(mark),
    N: (reader) => reader.push(null),
    '\x88': (reader) => reader.push(true),
    '\x89': (reader) => reader.push(false),
    // BININT1, BININT2, BININT, LONG1, BINFLOAT
    K: (reader) => reader.push(reader.unsigned(1)),
    M: (reader) => reader.push(reader.unsigned(2)),
    J: (reader) => reader.push(reader.unsigned(4) | 0),
    '\x8a': (reader) => reader.push(reader.long(reader.unsigned(1))),
    G: (reader) => reader.push(reader.float()),
    // SHORT_BINSTRING and BINSTRING, byte strings of Python 2; BINUNICODE, SHORT_BINUNICODE
    U: (reader) => reader.push(reader.latin1(reader.unsigned(1))),
    T: (reader) => reader.push(reader.latin1(reader.unsigned(4))),
    X: (reader) => reader.push(reader.utf8(reader.unsigned(4))),
    '\x8c': (reader) => reader.push(reader.utf8(reader.unsigned(1))),
    // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
    C: (reader) => reader.push(reader.take(reader.unsigned(1))),
    B: (reader) => reader.push(reader.take(reader.unsigned(4))),
    '\x8e': (reader) => reader.push(reader.take(reader.unsigned(8))),
    '\x96': (reader) => reader.push(reader.take(reader.unsigned(8))),
    // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE, LIST, EMPTY_LIST, EMPTY_DICT
    ')': (reader) => reader.push([]),
    '\x85': (reader) => reader.push([reader.pop()]),
    '\x86': (reader) => reader.push([reader.pop(), reader.pop()].reverse()),
    '\x87': (reader) => reader.push([reader.pop(), reader.pop(), reader.pop()].reverse()),
    t: (reader) => reader.push(reader.popMark()),
    l: (reader) => reader.push(reader.popMark()),
    ']': (reader) => reader.push([]),
    '}': (reader) => reader.push(new Map()),
    // APPEND, APPENDS, SETITEM, SETITEMS
    a: (reader) => reader.append([reader.pop()]),
    e: (reader) => reader.append(reader.popMark()),
    s: (reader) => reader.setItems([reader.pop(), reader.pop()].reverse()),
    u: (reader) => reader.setItems(reader.popMark()),
    // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
    q: (reader) => reader.remember(reader.unsigned(1)),
    r: (reader) => reader.remember(reader.unsigned(4)),
    '\x94': (reader) => reader.memoize(),
    h: (reader, at) => reader.push(reader.recall(reader.unsigned(1), at)),
    j: (reader, at) => reader.push(reader.recall(reader.unsigned(4), at)),
    // GLOBAL, STACK_GLOBAL, REDUCE, BUILD
    c: (reader, at) => reader.push(reader.global(`${reader.line()}.${reader.line()}`, at)),
    '\x93': (reader, at) => {
      const [name, module] = [reader.pop(), reader.pop()];
      reader.push(reader.global(`${textOf(module)}.${textOf(name)}`, at));
    },
    R: (reader, at) => reader.call(at),
    b: (reader, at) => reader.build(at),
  }).map(([opcode, operation]) => [opcode.charCodeAt(0), operation]),
);
