import { type LocalgradError, shortened } from '@localgrad/core';

/** A value of a Python pickle. Dictionaries become maps, byte strings of Python 3 arrays of bytes. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | NumpyArray
  | Pending
  | PickleValue[]
  | Map<PickleValue, PickleValue>;

/** A numpy array in C order. */
export class NumpyArray {
  readonly shape: readonly number[];
  /** As numpy writes it: `u1`, `i8`. */
  readonly type: string;
  readonly bytes: Uint8Array;

  constructor(shape: readonly number[], type: string, bytes: Uint8Array) {
    this.shape = shape;
    this.type = type;
    this.bytes = bytes;
  }
}

const allowed = new Set(
  ['numpy.core', 'numpy._core']
    .flatMap((module) => [`${module}.multiarray._reconstruct`, `${module}.numeric._frombuffer`])
    .concat(['numpy.ndarray', 'numpy.dtype', '_codecs.encode']),
);

/** A global in the file, or an object whose state follows. */
export class Pending {
  readonly name: string;
  array: NumpyArray | undefined;
  /** Of a dtype. */
  type: string | undefined;

  constructor(name: string) {
    this.name = name;
  }

  static allows(name: string): boolean {
    return allowed.has(name);
  }
}

type Fail = (expected: string, found: string) => LocalgradError;

/** Creates the object of a call. */
export function construct(callee: PickleValue, values: PickleValue, fail: Fail): PickleValue {
  if (!(callee instanceof Pending) || !Array.isArray(values))
    throw fail('a call of a known function', 'something else');
  if (callee.name.endsWith('._reconstruct')) return new Pending('array');
  if (callee.name === 'numpy.dtype') {
    const dtype = new Pending('dtype');
    dtype.type = textOf(values[0] ?? null);
    return dtype;
  }
  if (callee.name === '_codecs.encode') {
    // The form of bytes in protocol 2 of Python 3.
    if (typeof values[0] !== 'string' || values[1] !== 'latin1')
      throw fail('bytes as Latin-1 text', textOf(values[1] ?? null));
    return Uint8Array.from(values[0], (character) => character.charCodeAt(0));
  }
  if (callee.name.endsWith('._frombuffer')) {
    const [bytes = null, dtype = null, shape = null, order = null] = values;
    return numpyArray(shape, dtype, order === 'F', bytes, fail);
  }
  throw fail('a call of a known function', `'${callee.name}'`);
}

/** Fills an object with its state. */
export function setState(target: PickleValue, state: PickleValue, fail: Fail): void {
  if (!(target instanceof Pending) || !Array.isArray(state)) throw fail('the state of a numpy array', 'something else');
  if (target.name === 'dtype') return;
  const [, shape = null, dtype = null, isFortran = null, bytes = null] = state;
  target.array = numpyArray(shape, dtype, isFortran === true || isFortran === 1, bytes, fail);
}

function numpyArray(
  shape: PickleValue,
  dtype: PickleValue,
  isFortran: boolean,
  bytes: PickleValue,
  fail: Fail,
): NumpyArray {
  const type = dtype instanceof Pending ? dtype.type : undefined;
  const extents = Array.isArray(shape) ? shape.filter((extent) => typeof extent === 'number') : [];
  // Python 2 has byte strings only.
  const content = typeof bytes === 'string' ? Uint8Array.from(bytes, (each) => each.charCodeAt(0)) : bytes;
  if (type === undefined || !(content instanceof Uint8Array)) throw fail('a numpy array of numbers', 'something else');
  if (isFortran && extents.length > 1) throw fail('a numpy array in C order', 'Fortran order');
  const itemBytes = Number(type.slice(1));
  const length = extents.reduce((product, extent) => product * extent, itemBytes);
  if (content.length !== length) {
    throw fail(`${length} bytes of a numpy array of ${extents.join('×')}`, `${content.length}`);
  }
  return new NumpyArray(extents, type, content);
}

/** Formats a value for a message or name; nested values, which may contain themselves, are abbreviated. */
export function textOf(value: PickleValue): string {
  if (typeof value === 'string') return shortened(value);
  return typeof value === 'object' && value !== null ? 'something else' : `${value}`;
}
