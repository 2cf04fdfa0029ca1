import { type DataFile, damaged } from '../files.js';
import { ByteReader } from './byte-reader.js';
import { latin1 } from './latin1.js';
import { decompress } from './open-stream.js';

/** A field of a structure: a text, or the first number of an array. */
export type StructField = string | number | undefined;
export type MatlabStruct = Readonly<Record<string, StructField>>;

const [MATRIX, COMPRESSED] = [14, 15];
const [STRUCT, CHAR] = [2, 4];
const deepest = 8;

/**
 * The elements of a structure array in a small MATLAB file (version 5 to 7), with their texts and numbers.
 *
 * @throws LocalgradError `invalid-data` that names file, offset and expectation
 */
export async function matlabStructs(file: DataFile, name: string): Promise<readonly MatlabStruct[]> {
  let at = 128;
  while (at < file.bytes.length) {
    const element = elementAt(file, file.bytes, at);
    const content = element.type === COMPRESSED ? await inflated(file, element.bytes, at) : file.bytes.subarray(at);
    const matrix = elementAt(file, content, 0);
    if (matrix.type === MATRIX) {
      const found = readMatrix(file, matrix.bytes);
      if (found.name === name && Array.isArray(found.value)) return found.value;
    }
    at = element.end;
  }
  throw damaged(file, file.bytes.length, `a structure array '${name}'`, 'the end of the file');
}

interface Element {
  readonly type: number;
  readonly bytes: Uint8Array;
  /** Offset of the next element. */
  readonly end: number;
}

function elementAt(file: DataFile, bytes: Uint8Array, at: number): Element {
  const fail = (found: string) => damaged(file, at, 'an element of a MATLAB file', `${found}: the file is damaged`);
  if (at + 8 > bytes.length) throw fail('the end');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const small = view.getUint16(at + 2, true);
  if (small > 4) throw fail(`a small element of ${small} bytes`);
  if (small > 0) return { type: view.getUint16(at, true), bytes: bytes.subarray(at + 4, at + 4 + small), end: at + 8 };
  const [type, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
  const start = at + 8;
  if (start + size > bytes.length) throw fail(`${bytes.length - start} of ${size} bytes`);
  const padding = type === COMPRESSED ? 0 : (8 - (size % 8)) % 8;
  return { type, bytes: bytes.subarray(start, start + size), end: start + size + padding };
}

async function inflated(file: DataFile, bytes: Uint8Array, at: number): Promise<Uint8Array> {
  const origin = { ...file, path: `${file.path}, compressed variable at byte ${at}` };
  const reader = new ByteReader(decompress(once(bytes), origin, 'zlib'), origin);
  const tag = await reader.read(8, 'a tag');
  const size = new DataView(tag.buffer).getUint32(4, true);
  if (size > 2 ** 28) throw damaged(origin, 4, 'a variable of at most 256 MiB', `${size} bytes`);
  const whole = new Uint8Array(8 + size);
  whole.set(tag);
  whole.set(await reader.read(size, 'a variable'), 8);
  await reader.drain();
  return whole;
}

interface Matrix {
  readonly name: string;
  readonly value: StructField | readonly MatlabStruct[];
}

function readMatrix(file: DataFile, bytes: Uint8Array, depth = 0): Matrix {
  if (depth > deepest) throw damaged(file, 0, `at most ${deepest} levels of structures`, 'more');
  // An empty matrix may have no content.
  if (bytes.length === 0) return { name: '', value: undefined };
  let at = 0;
  const next = (): Element => {
    const element = elementAt(file, bytes, at);
    at = element.end;
    return element;
  };
  const matrixClass = next().bytes[0] ?? 0;
  const dimensions = numbers(next());
  const name = latin1(next().bytes);
  const count = dimensions.reduce((product, extent) => product * extent, 1);
  // Every value takes at least a byte.
  if (count > bytes.length) throw damaged(file, 0, `at most ${bytes.length} values in a variable`, `${count}`);
  if (matrixClass === STRUCT) return { name, value: structs(file, next, count, depth) };
  if (matrixClass === CHAR) {
    const text = next();
    return { name, value: text.type === 4 ? utf16(text.bytes) : latin1(text.bytes) };
  }
  return { name, value: matrixClass >= 6 && count > 0 ? numbers(next())[0] : undefined };
}

function structs(file: DataFile, next: () => Element, count: number, depth: number): readonly MatlabStruct[] {
  const [nameBytes = 32] = numbers(next());
  const text = latin1(next().bytes);
  if (nameBytes < 1) throw damaged(file, 0, 'names of fields', `${nameBytes} bytes per name`);
  const fields = Array.from({ length: Math.floor(text.length / nameBytes) }, (_, index) =>
    text.slice(index * nameBytes, (index + 1) * nameBytes).replace(/\0.*$/s, ''),
  );
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      fields.map((field): [string, StructField] => {
        const { value } = readMatrix(file, next().bytes, depth + 1);
        return [field, typeof value === 'object' ? undefined : value];
      }),
    ),
  );
}

/** Values by the type of their element; 64-bit integers are not used here. */
function numbers({ type, bytes }: Element): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const read: Record<number, [number, (at: number) => number]> = {
    1: [1, (at) => view.getInt8(at)],
    2: [1, (at) => view.getUint8(at)],
    3: [2, (at) => view.getInt16(at, true)],
    4: [2, (at) => view.getUint16(at, true)],
    5: [4, (at) => view.getInt32(at, true)],
    6: [4, (at) => view.getUint32(at, true)],
    7: [4, (at) => view.getFloat32(at, true)],
    9: [8, (at) => view.getFloat64(at, true)],
  };
  const [width, get] = read[type] ?? [bytes.length + 1, () => 0];
  return Array.from({ length: Math.floor(bytes.length / width) }, (_, index) => get(index * width));
}

function utf16(bytes: Uint8Array): string {
  return new TextDecoder('utf-16le', { ignoreBOM: true }).decode(bytes);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
