import { LocalgradError, rejectUnknownKeys, type Shape3, shown } from '@localgrad/core';
import { checkDataset, checkImageShape } from './check-dataset.js';
import type { ImageDataset } from './dataset.js';

/** Values of images: bytes, or numbers from 0 to 1. */
export type ImageValues = Uint8Array | Uint8ClampedArray | Float32Array | Float64Array;

/** Images in memory. */
export interface ArrayImages {
  readonly name?: string;
  /** Names of the classes. Default: `0`, `1`, … up to the largest label. */
  readonly classes?: readonly string[];
  readonly imageShape: Shape3;
  /** Bytes, or numbers from 0 to 1, channels last; in one array, or one per image. */
  readonly images: ImageValues | readonly ImageValues[];
  readonly labels: ArrayLike<number>;
}

/** Maximum number of classes without names. */
const mostClasses = 2 ** 17;

/**
 * Creates a data set from arrays, and checks it. Numbers from 0 to 1 are rounded to bytes.
 *
 * @throws LocalgradError `invalid-data` if images, labels and shape are inconsistent; `invalid-option`
 */
export function datasetFromArrays(options: ArrayImages): ImageDataset {
  rejectUnknownKeys('datasetFromArrays', options, ['name', 'classes', 'imageShape', 'images', 'labels']);
  const { name = 'arrays', imageShape, images, labels } = options;
  checkImageShape(name, imageShape);
  const isList = Array.isArray(images);
  const parts: readonly ImageValues[] = isList ? images : [images as ImageValues];
  const length = imageShape[0] * imageShape[1] * imageShape[2];
  parts.forEach((part, index) => {
    const place = isList ? ` for image ${index}` : '';
    if (!isBytes(part) && !isNumbers(part)) {
      throw invalid(name, `a Uint8Array or Float32Array${place}`, kindOf(part));
    }
    if (isList && part.length !== length) throw invalid(name, `${length} values${place}`, `${part.length}`);
  });
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    if (isBytes(part)) bytes.set(part, offset);
    else writeNumbers(name, part, bytes, offset);
    offset += part.length;
  }
  const numbers = integers(name, labels);
  const classes = options.classes ?? numberedClasses(name, numbers);
  const dataset = { name, classes, imageShape, size: numbers.length, images: bytes, labels: numbers };
  checkDataset(dataset);
  return dataset;
}

function kindOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? `one of type ${value.constructor?.name}` : shown(value);
}

function isBytes(part: unknown): part is Uint8Array | Uint8ClampedArray {
  return part instanceof Uint8Array || part instanceof Uint8ClampedArray;
}

function isNumbers(part: unknown): part is Float32Array | Float64Array {
  return part instanceof Float32Array || part instanceof Float64Array;
}

function writeNumbers(name: string, part: Float32Array | Float64Array, target: Uint8Array, offset: number): void {
  part.forEach((value, index) => {
    if (!(value >= 0 && value <= 1)) throw invalid(name, 'numbers from 0 to 1', `${value} at index ${offset + index}`);
    target[offset + index] = Math.round(value * 255);
  });
}

/** An Int32Array would cut fractions off and make 0 of everything that is no number. */
function integers(name: string, labels: ArrayLike<number>): Int32Array {
  return Int32Array.from(labels, (label: unknown, index) => {
    if (typeof label === 'number' && Number.isInteger(label) && Math.abs(label) < 2 ** 31) return label;
    throw invalid(name, 'integers as labels', `${shown(label)} for image ${index}`);
  });
}

function numberedClasses(name: string, labels: Int32Array): string[] {
  const most = labels.reduce((largest, label) => Math.max(largest, label), -1);
  if (most >= mostClasses) throw invalid(name, `labels below ${mostClasses}, or the names of the classes`, `${most}`);
  return Array.from({ length: most + 1 }, (_, label) => `${label}`);
}

function invalid(name: string, expected: string, found: string): LocalgradError {
  const message = `Data set '${name}': expected ${expected}, found ${found}.`;
  return new LocalgradError('invalid-data', message, { name, expected, found });
}
