import { type DataFile, damaged } from '../files.js';
import { latin1 } from '../formats/latin1.js';
import { readPickle } from '../formats/pickle.js';
import { NumpyArray, Pending, type PickleValue, textOf } from '../formats/pickle-objects.js';
import type { CifarVersion } from './cifar-versions.js';

const imageBytes = 32 * 32 * 3;

/** Labels of the images in a file, and offsets of their planes. */
export interface CifarRecords {
  readonly labels: ArrayLike<number>;
  readonly pixels: Uint8Array;
  readonly pixelStart: number;
  readonly stride: number;
}

/** @throws LocalgradError `invalid-data` unless the file has exactly `count` images with labels */
export function readRecords(file: DataFile, version: CifarVersion, count: number): CifarRecords {
  return version.format === 'binary' ? binaryRecords(file, version, count) : pythonRecords(file, version, count);
}

function binaryRecords(file: DataFile, { labelBytes, classes }: CifarVersion, count: number): CifarRecords {
  const { bytes } = file;
  const stride = labelBytes + imageBytes;
  if (bytes.length !== count * stride) {
    const expected = `${count * stride} bytes: ${count} records of ${stride}`;
    const problem = bytes.length < count * stride ? 'truncated' : 'too long';
    throw damaged(file, Math.min(bytes.length, count * stride), expected, `${bytes.length}: the file is ${problem}`);
  }
  const labels = Uint8Array.from({ length: count }, (_, index) => bytes[index * stride + labelBytes - 1] ?? 0);
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw damaged(file, wrong * stride + labelBytes - 1, `a label below ${classes}`, `${labels[wrong]}`);
  }
  return { labels, pixels: bytes, pixelStart: labelBytes, stride };
}

function pythonRecords(file: DataFile, { labelKey, classes }: CifarVersion, count: number): CifarRecords {
  const content = readPickle(file);
  const pixels = entry(file, content, 'data');
  const labels = entry(file, content, labelKey);
  const array = pixels instanceof NumpyArray ? pixels : undefined;
  if (array?.type !== 'u1' || array.shape.join('×') !== `${count}×${imageBytes}`) {
    const found = array === undefined ? 'something else' : `${array.type} of ${array.shape.join('×')}`;
    throw damaged(file, 0, `'data': an array u1 of ${count}×${imageBytes}`, found);
  }
  if (!Array.isArray(labels) || labels.length !== count) {
    throw damaged(file, 0, `'${labelKey}': ${count} labels`, Array.isArray(labels) ? `${labels.length}` : 'no list');
  }
  const numbers = labels.map((label, index) => {
    if (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < classes) return label;
    throw damaged(file, 0, `labels below ${classes}`, `${textOf(label)} for image ${index}`);
  });
  return { labels: numbers, pixels: array.bytes, pixelStart: 0, stride: imageBytes };
}

/** Names of the classes. */
export function readNames(file: DataFile, { format, classes, namesKey }: CifarVersion): readonly string[] {
  const names = format === 'binary' ? textLines(file) : texts(entry(file, readPickle(file), namesKey));
  if (names.length !== classes) throw damaged(file, 0, `names of ${classes} classes`, `${names.length}`);
  return names;
}

export function textLines({ bytes }: DataFile): string[] {
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== '');
}

function texts(value: PickleValue): string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

/** Files written by Python 2 have byte strings; read as Latin-1 or bytes. */
function text(value: PickleValue): string {
  return value instanceof Uint8Array ? latin1(value) : textOf(value);
}

function entry(file: DataFile, content: PickleValue, key: string): PickleValue {
  for (const [name, value] of content instanceof Map ? content : []) {
    if (text(name) === key) return value instanceof Pending ? (value.array ?? value) : value;
  }
  throw damaged(file, 0, `a dictionary with '${key}'`, content instanceof Map ? 'none' : 'no dictionary');
}
