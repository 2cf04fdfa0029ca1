import { type Clock, get, LocalgradError, type Targets } from '@localgrad/core';
import type { Batch } from '@localgrad/engine';
import { readSafetensors, type StoredTensor, writeSafetensors } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';

/** Tensors of one micro-batch by name: `images`, or activations in their place, and `targets/<name>`. */
export type BatchData = ReadonlyMap<string, StoredTensor>;

/** A micro-batch of a training step. */
export interface StepMessage {
  readonly clock: Clock;
  readonly learningRate: number;
  /** Sizes of all micro-batches of the step; empty if it ends in an earlier part. */
  readonly samples: readonly number[];
  /** Absent if there is none. */
  readonly batch?: BatchData | undefined;
}

/** What the stream through the workers contains: each message reaches all of them, in order. */
export type Message =
  /** A micro-batch of a training step; the first one starts the step. */
  | (StepMessage & { readonly kind: 'step' })
  /** Report weights and optimizer state as they are after all steps so far. */
  | { readonly kind: 'gather' }
  /** The last message. */
  | { readonly kind: 'end' };

const images = 'images';
const targets = 'targets/';

/** A message as a safetensors file: its micro-batch as tensors, the rest as metadata. */
export function encodeMessage(message: Message): Uint8Array {
  if (message.kind !== 'step') return writeSafetensors({ tensors: new Map(), metadata: { message: json(message) } });
  const { batch: tensors = new Map(), ...rest } = message;
  return writeSafetensors({ tensors, metadata: { message: json(rest) } });
}

/** The inverse of `encodeMessage`. */
export function decodeMessage(bytes: Uint8Array): Message {
  const { tensors, metadata } = readSafetensors(bytes, 'message between workers');
  const message = JSON.parse(metadata.message ?? '{}');
  return tensors.size === 0 ? message : { ...message, batch: tensors };
}

/** Weights after a number of steps. */
export interface WeightsMessage {
  /** Number of steps, since the start of training. */
  readonly step: number;
  /** Values by name. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
}

export function encodeWeights({ step, weights }: WeightsMessage): Uint8Array {
  return writeSafetensors({ tensors: weights, metadata: { step: String(step) } });
}

/** The inverse of `encodeWeights`. */
export function decodeWeights(bytes: Uint8Array): WeightsMessage {
  const { tensors, metadata } = readSafetensors(bytes, 'weights of another worker');
  return { step: Number(metadata.step), weights: tensors };
}

const cotangent = 'cotangent';

export function encodeCotangent(tensor: tf.Tensor4D): Uint8Array {
  return writeSafetensors({ tensors: new Map([[cotangent, storedTensor(tensor)]]), metadata: {} });
}

/** The inverse of `encodeCotangent`; the caller owns the tensor. */
export function decodeCotangent(bytes: Uint8Array): tf.Tensor4D {
  const { tensors } = readSafetensors(bytes, 'gradient of another worker');
  const stored = get(tensors, cotangent, 'tensor');
  return tf.tensor4d(valuesOf(stored), shape4(stored.shape), 'float32');
}

function json(value: object): string {
  return JSON.stringify(value);
}

/** Copies a batch from the backend. @param names of the targets that are needed */
export function dataOf(batch: Batch, names: readonly string[]): BatchData {
  const wanted = names.flatMap((name) => {
    const target = batch.targets[name];
    return target === undefined ? [] : [[`${targets}${name}`, storedTensor(target)] as const];
  });
  return new Map([[images, storedTensor(batch.images)], ...wanted]);
}

/** The same, after the backend has computed the batch. */
export async function readData(batch: Batch, names: readonly string[]): Promise<BatchData> {
  await Promise.all([batch.images.data(), ...Object.values(batch.targets).map((target) => target?.data())]);
  return dataOf(batch, names);
}

/** A batch with new tensors, which `dispose` frees. */
export function batchOf(data: BatchData): Batch & { dispose(): void } {
  const input = data.get(images);
  if (input === undefined) throw new LocalgradError('invalid-data', 'A message between workers has no activations.');
  const tensor = tf.tensor4d(valuesOf(input), shape4(input.shape), 'float32');
  const named = Object.fromEntries(
    [...data].flatMap(([name, stored]) =>
      name.startsWith(targets) ? [[name.slice(targets.length), tensorOf(stored)] as const] : [],
    ),
  );
  const own: Targets = named;
  return { images: tensor, targets: own, dispose: () => tf.dispose([tensor, ...Object.values(named)]) };
}

const storedTypes: Readonly<Record<string, StoredTensor['dtype']>> = { float32: 'F32', int32: 'I32', bool: 'BOOL' };

/** Copies a tensor from the backend. */
export function storedTensor(tensor: tf.Tensor): StoredTensor {
  const dtype = storedTypes[tensor.dtype];
  if (dtype === undefined) {
    throw new LocalgradError(
      'invalid-data',
      `A target of type ${tensor.dtype} cannot be sent to a worker; allowed: ${Object.keys(storedTypes).join(', ')}.`,
    );
  }
  return { dtype, shape: tensor.shape, data: tensor.dataSync() };
}

/** The inverse of `storedTensor`; the caller owns the tensor. */
export function tensorOf(stored: StoredTensor): tf.Tensor {
  const dtype = stored.dtype === 'F32' ? 'float32' : stored.dtype === 'I32' ? 'int32' : 'bool';
  return tf.tensor(valuesOf(stored), [...stored.shape], dtype);
}

function valuesOf({ data }: StoredTensor): Float32Array | Int32Array | Uint8Array {
  return data instanceof Float64Array ? Float32Array.from(data) : data;
}

function shape4([batch = 0, height = 0, width = 0, channels = 0]: readonly number[]): [number, number, number, number] {
  return [batch, height, width, channels];
}
