import { readFileSync } from 'node:fs';
import { type Backbone, evaluationMode } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import {
  activationFromPyTorch,
  readSafetensors,
  type StoredTensor,
  type TensorFile,
  writeSafetensors,
} from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { cifarResNet } from '../resnet.js';

/**
 * The state dict of a wrapped network with `input` and `logits`; created by `tools/oracles/pytorch-weights.py make`.
 */
export function pytorchReference() {
  const bytes = readFileSync(new URL('./fixtures/resnet8-pytorch.safetensors', import.meta.url));
  const { tensors, metadata } = readSafetensors(bytes);
  const take = (name: string) => tensors.get(name) as StoredTensor & { readonly data: Float32Array };
  const input = activationFromPyTorch(take('input'));
  const logits = take('logits').data;
  const state = new Map([...tensors].filter(([name]) => name.startsWith('module.')));
  return { stateDict: { tensors: state, metadata }, images: () => tf.tensor4d(input.data, [3, 8, 8, 3]), logits };
}

/** Our version of the reference network, with different weights. */
export function tinyResNet(seed = 1, classes = 5): Backbone {
  const factory = cifarResNet({ depth: 8, widths: [2, 2, 3, 4] });
  return factory.build({ inputShape: [8, 8, 3], classes, scope: createScope(seed) });
}

/** Class scores in evaluation mode. */
export function scoresOf({ blocks, classifier }: Backbone, images: tf.Tensor4D): Float32Array {
  return tf.tidy(() => {
    let x = images;
    for (const { block } of blocks) x = block.forward(x, evaluationMode).output;
    const scores = classifier.predict?.(x) as tf.Tensor;
    return scores.dataSync<'float32'>();
  });
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.length === b.length
    ? Math.max(...a.map((value, index) => Math.abs(value - (b[index] as number))))
    : Infinity;
}

/** The file with some tensors replaced, added, or (if undefined) removed. */
export function changed(file: TensorFile, changes: Readonly<Record<string, StoredTensor | undefined>>): Uint8Array {
  const tensors = new Map(file.tensors);
  for (const [name, tensor] of Object.entries(changes)) {
    if (tensor === undefined) tensors.delete(name);
    else tensors.set(name, tensor);
  }
  return writeSafetensors({ tensors, metadata: file.metadata });
}
