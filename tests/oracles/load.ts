import { readFileSync } from 'node:fs';
import type { Parameter } from '@localgrad/core';
import {
  activationFromPyTorch,
  readSafetensors,
  type StoredTensor,
  weightFromPyTorch,
} from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';

export interface Oracle<Metadata> {
  readonly metadata: Metadata;
  /** Values in PyTorch's order. */
  raw(name: string): Float32Array;
  /** A weight, gradient or statistic, converted to our layout. */
  weight(name: string): Float32Array;
  /** An activation or batch, converted to our layout. */
  activation(name: string): { readonly shape: readonly number[]; readonly data: Float32Array };
  labels(name: string): Int32Array;
  names(prefix: string): string[];
}

export function loadOracle<Metadata>(file: string): Oracle<Metadata> {
  const { tensors, metadata } = readSafetensors(readFileSync(new URL(`fixtures/${file}`, import.meta.url)), file);
  const get = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${file} has no tensor '${name}'.`);
    return tensor;
  };
  const floats = (name: string) => get(name) as StoredTensor & { readonly data: Float32Array };
  return {
    metadata: JSON.parse(metadata.json ?? '{}') as Metadata,
    raw: (name) => floats(name).data,
    weight: (name) => weightFromPyTorch(floats(name)).data,
    activation: (name) => activationFromPyTorch(floats(name)),
    labels: (name) => Int32Array.from(get(name).data),
    names: (prefix) =>
      [...tensors.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  };
}

export function assign(parameter: Parameter, values: Float32Array): void {
  parameter.assign(tf.tensor(values, [...parameter.shape]));
}

export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let total = 0;
  for (let index = 0; index < expected.length; index++) {
    difference += ((actual[index] as number) - (expected[index] as number)) ** 2;
    total += (expected[index] as number) ** 2;
  }
  return actual.length === expected.length ? Math.sqrt(difference / (total || 1)) : Number.POSITIVE_INFINITY;
}
