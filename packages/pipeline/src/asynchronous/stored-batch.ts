import { LocalgradError } from '@localgrad/core';
import { readSafetensors, type StoredTensor, writeSafetensors } from '@localgrad/nn/serialization';
import type { BatchData } from '../message.js';

/** The micro-batches of a batch as one safetensors file. */
export function encodeBatches(batches: readonly BatchData[]): Uint8Array {
  const tensors = batches.flatMap((batch, part) =>
    [...batch].map(([name, tensor]): [string, StoredTensor] => [`${part}/${name}`, tensor]),
  );
  return writeSafetensors({ tensors: new Map(tensors), metadata: {} });
}

/**
 * The most bytes that names and shapes need in front of a stored batch, beside its numbers.
 *
 * @param targets names of the targets that are stored with each output
 * @param microBatches number of micro-batches
 */
export function storedHeaderBytes(targets: readonly string[], microBatches: number): number {
  // Of each tensor: part, type, shape of at most six axes, and place.
  const ofEach = ['images', ...targets].map((name) => 256 + Buffer.byteLength(JSON.stringify(name)));
  return 64 + microBatches * ofEach.reduce((sum, bytes) => sum + bytes, 0);
}

/** The inverse of `encodeBatches`. */
export function decodeBatches(bytes: Uint8Array): BatchData[] {
  const batches: Map<string, StoredTensor>[] = [];
  for (const [key, tensor] of readSafetensors(bytes, 'stored batch of another worker').tensors) {
    const [, part, name] = /^(\d+)\/(.+)$/s.exec(key) ?? [];
    if (part === undefined || name === undefined) {
      throw new LocalgradError('invalid-data', `A stored batch contains '${key}', which belongs to no micro-batch.`);
    }
    const batch = batches[Number(part)] ?? new Map<string, StoredTensor>();
    batches[Number(part)] = batch.set(name, tensor);
  }
  return batches;
}
