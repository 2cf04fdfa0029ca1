import { LocalgradError } from '@localgrad/core';
import {
  activationFromPyTorch,
  activationToPyTorch,
  type StoredTensor,
  type TensorFile,
  weightFromPyTorch,
  weightToPyTorch,
} from '@localgrad/nn/serialization';
import type * as tf from '@tensorflow/tfjs';
import type { TensorReference } from './format.js';

export type Comparison = 'largest-entry' | 'relative-l2';

/** References below this are zero up to rounding (a bias before batch norm), so the absolute difference is used. */
const nothing = 1e-9;
const digestHead = 3;

/** The file's tensors, in PyTorch's layout. */
export class ReferenceTensors {
  constructor(
    readonly file: TensorFile,
    readonly where: string,
  ) {}

  stored(name: string): StoredTensor {
    const tensor = this.file.tensors.get(name);
    if (tensor === undefined) {
      throw new LocalgradError(
        'invalid-data',
        `${this.where}: its metadata refers to tensor '${name}', which is missing.`,
        {
          tensor: name,
        },
      );
    }
    return tensor;
  }

  floats(name: string): { shape: readonly number[]; data: Float32Array } {
    const { shape, data } = this.stored(name);
    return { shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
  }

  /** An initial value, in our layout. */
  weight(reference: TensorReference): { shape: readonly number[]; data: Float32Array } {
    const { tensor, scale = 1 } = typeof reference === 'string' ? { tensor: reference } : reference;
    const { shape, data } = weightFromPyTorch(this.floats(tensor));
    return { shape, data: scale === 1 ? data : data.map((value) => value * scale) };
  }

  activation(name: string): { shape: readonly number[]; data: Float32Array } {
    return activationFromPyTorch(this.floats(name));
  }
}

/** Relative error of our tensor; infinite if the shapes differ. */
export async function tensorError(
  found: tf.Tensor,
  reference: TensorReference,
  tensors: ReferenceTensors,
  comparison: Comparison,
  kind: 'weight' | 'activation',
): Promise<number> {
  const { tensor, rows, digest = false } = typeof reference === 'string' ? { tensor: reference } : reference;
  const toPyTorch = kind === 'weight' ? weightToPyTorch : activationToPyTorch;
  const values = toPyTorch({ shape: found.shape, data: await found.data<'float32'>() }).data;
  const expected = tensors.floats(tensor).data;
  if (digest) return digestError(values, expected);
  const actual = rows === undefined ? values : values.subarray(0, (values.length / (found.shape[0] ?? 1)) * rows);
  return arrayError(actual, expected, comparison);
}

export function arrayError(actual: ArrayLike<number>, expected: ArrayLike<number>, comparison: Comparison): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let largestDifference = 0;
  let squares = 0;
  let squaredDifferences = 0;
  for (let index = 0; index < expected.length; index++) {
    const wanted = expected[index] as number;
    const difference = Math.abs((actual[index] as number) - wanted);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(wanted));
    largestDifference = Math.max(largestDifference, difference);
    squares += wanted * wanted;
    squaredDifferences += difference * difference;
  }
  if (largest < nothing) return largestDifference;
  return comparison === 'largest-entry' ? largestDifference / largest : Math.sqrt(squaredDifferences / squares);
}

/** Norm, largest magnitude and samples: relative to the tensor's norm or largest magnitude. */
function digestError(values: Float32Array, digest: Float32Array): number {
  const samples = digest.subarray(digestHead);
  const stride = Math.floor(values.length / samples.length);
  const [, norm = 0, largest = 0] = digest;
  const squares = values.reduce((sum, value) => sum + value * value, 0);
  const magnitude = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const taken = samples.map((_, index) => values[index * stride] ?? Number.NaN);
  if (largest < nothing) return magnitude;
  const difference = samples.reduce((most, value, index) => Math.max(most, Math.abs(value - (taken[index] ?? 0))), 0);
  return Math.max(
    Math.abs(Math.sqrt(squares) - norm) / norm,
    Math.abs(magnitude - largest) / largest,
    difference / largest,
  );
}

export function numberError(actual: number | undefined, expected: number): number {
  if (actual === undefined || Number.isNaN(actual)) return Number.POSITIVE_INFINITY;
  const difference = Math.abs(actual - expected);
  return Math.abs(expected) < nothing ? difference : difference / Math.abs(expected);
}
