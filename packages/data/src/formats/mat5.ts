import { damaged } from '../files.js';
import { ByteReader } from './byte-reader.js';
import { latin1 } from './latin1.js';
import { decompress } from './open-stream.js';

const MATRIX = 14;
const COMPRESSED = 15;
const UINT32 = 6;
const INT8 = 1;
const INT32 = 5;

/** Number types of elements: bytes per value, and a function that reads a value. */
const numberTypes: ReadonlyMap<number, { readonly bytes: number; get(view: DataView, at: number): number }> = new Map([
  [1, { bytes: 1, get: (view, at) => view.getInt8(at) }],
  [2, { bytes: 1, get: (view, at) => view.getUint8(at) }],
  [3, { bytes: 2, get: (view, at) => view.getInt16(at, true) }],
  [4, { bytes: 2, get: (view, at) => view.getUint16(at, true) }],
  [5, { bytes: 4, get: (view, at) => view.getInt32(at, true) }],
  [6, { bytes: 4, get: (view, at) => view.getUint32(at, true) }],
  [7, { bytes: 4, get: (view, at) => view.getFloat32(at, true) }],
  [9, { bytes: 8, get: (view, at) => view.getFloat64(at, true) }],
  [12, { bytes: 8, get: (view, at) => Number(view.getBigInt64(at, true)) }],
  [13, { bytes: 8, get: (view, at) => Number(view.getBigUint64(at, true)) }],
]);

/** Classes of arrays: up to this one, all begin with dimensions and a name; from `firstNumeric`, they are numeric. */
const lastArray = 15;
const firstNumeric = 6;

/** A numeric variable of a MATLAB file. Its values come in column-major order. */
export interface MatlabMatrix {
  readonly name: string;
  readonly dimensions: readonly number[];
  /** Bytes per stored value; 1 for uint8. */
  readonly valueBytes: number;
  /** Number of values. */
  readonly length: number;
  /** Reads the next `target.length` values. MATLAB stores whole numbers in as few bytes as possible. */
  readInto(target: Uint8Array | Float64Array): Promise<void>;
  /** Creates an error for the current offset, for checks of the values. */
  damage(expected: string, found: string): Error;
}

/**
 * The variables with these names in a MATLAB file, version 5 to 7 (little-endian; compressed or not), in order. Consume each one
 * before requesting the next. Others, which need not be numeric, are skipped.
 *
 * @throws LocalgradError `invalid-data` that names file, offset and expectation
 */
export async function* matlabMatrices(reader: ByteReader, names: readonly string[]): AsyncGenerator<MatlabMatrix> {
  const header = await reader.read(128, 'the header of a MATLAB file');
  const mark = latin1(header.subarray(124, 128));
  if (mark !== '\x00\x01IM') {
    const isVersion73 = latin1(header).startsWith('MATLAB 7.3');
    const found = isVersion73 ? 'version 7.3 (HDF5): save it with -v7' : JSON.stringify(mark);
    throw damaged(reader.origin, 124, 'the version and byte order of a MATLAB 5 file', found);
  }
  while (!(await reader.isAtEnd())) {
    const at = reader.offset;
    const { type, size } = await readTag(reader);
    if (type === COMPRESSED) {
      const origin = { ...reader.origin, path: `${reader.origin.path}, compressed variable at byte ${at}` };
      const inner = new ByteReader(decompress(reader.slice(size, 'a compressed variable'), origin, 'zlib'), origin);
      const tag = await readTag(inner);
      if (tag.type !== MATRIX) throw damaged(origin, 0, 'a matrix', `an element of type ${tag.type}`);
      const matrix = await readMatrix(inner, tag.size, names);
      if (matrix !== undefined) yield matrix;
      await inner.drain();
    } else if (type === MATRIX) {
      const end = reader.offset + size;
      const matrix = await readMatrix(reader, size, names);
      if (matrix !== undefined) yield matrix;
      await reader.skip(end - reader.offset, 'a variable');
    } else {
      throw damaged(reader.origin, at, 'a variable', `an element of type ${type}`);
    }
  }
}

/** Undefined for a variable with another name. */
async function readMatrix(
  reader: ByteReader,
  size: number,
  names: readonly string[],
): Promise<MatlabMatrix | undefined> {
  const start = reader.offset;
  const flags = await readSmallElement(reader, UINT32, 'array flags');
  const matrixClass = flags.bytes[0] ?? 0;
  const isComplex = ((flags.bytes[1] ?? 0) & 0x08) !== 0;
  if (matrixClass > lastArray) return undefined;
  const dimensionElement = await readSmallElement(reader, INT32, 'dimensions');
  const view = viewOf(dimensionElement.bytes);
  const dimensions = Array.from({ length: dimensionElement.bytes.length >> 2 }, (_, axis) =>
    view.getInt32(4 * axis, true),
  );
  const name = latin1((await readSmallElement(reader, INT8, 'the name')).bytes);
  if (!names.includes(name)) return undefined;
  if (matrixClass < firstNumeric || isComplex) {
    const found = `class ${matrixClass}${isComplex ? ', complex' : ''}`;
    throw damaged(reader.origin, start, `a real numeric array '${name}'`, found);
  }
  const tagAt = reader.offset;
  const { type, size: dataBytes, small } = await readTag(reader);
  const numbers = numberTypes.get(type);
  const length = dimensions.reduce((product, extent) => product * extent, 1);
  if (numbers === undefined || dataBytes !== length * numbers.bytes || reader.offset + dataBytes > start + size + 4) {
    const expected = `${dimensions.join('×')} values of '${name}'`;
    throw damaged(reader.origin, tagAt, expected, `${dataBytes} bytes of type ${type} in a variable of ${size}`);
  }
  // A small element contains up to four bytes in its tag.
  const values = small === undefined ? reader : new ByteReader(once(small), reader.origin);
  return {
    name,
    dimensions,
    valueBytes: numbers.bytes,
    length,
    async readInto(target) {
      if (numbers.bytes === 1 && type === 2 && target instanceof Uint8Array) {
        return values.readInto(target, `'${name}'`);
      }
      const data = viewOf(await values.read(target.length * numbers.bytes, `'${name}'`));
      for (let index = 0; index < target.length; index++) target[index] = numbers.get(data, index * numbers.bytes);
    },
    damage: (expected, found) => damaged(reader.origin, reader.offset, expected, found),
  };
}

interface Tag {
  readonly type: number;
  readonly size: number;
  /** Content of a small element. */
  readonly small?: Uint8Array;
}

async function readTag(reader: ByteReader): Promise<Tag> {
  const bytes = await reader.read(8, 'the tag of an element');
  const view = viewOf(bytes);
  const smallSize = view.getUint16(2, true);
  if (smallSize === 0) return { type: view.getUint32(0, true), size: view.getUint32(4, true) };
  if (smallSize > 4) {
    throw damaged(reader.origin, reader.offset - 8, 'a small element of at most 4 bytes', `${smallSize}`);
  }
  return { type: view.getUint16(0, true), size: smallSize, small: bytes.subarray(4, 4 + smallSize) };
}

async function readSmallElement(reader: ByteReader, expected: number, what: string): Promise<{ bytes: Uint8Array }> {
  const at = reader.offset;
  const { type, size, small } = await readTag(reader);
  if (type !== expected || size > 1024) {
    throw damaged(reader.origin, at, `${what} (an element of type ${expected})`, `type ${type} of ${size} bytes`);
  }
  if (small !== undefined) return { bytes: small };
  const bytes = await reader.read(size, what);
  await reader.skip((8 - (size % 8)) % 8, 'padding');
  return { bytes };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
