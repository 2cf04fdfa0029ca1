import type { Parameter } from '@localgrad/core';
import { createRandom, type Random } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';

/** Standard normal values; equal for equal seeds and names. */
export function randomValues(size: number, seed: number, name: string, scale = 1): Float32Array {
  const random = createRandom(seed, name);
  return Float32Array.from({ length: size }, () => scale * random.normal());
}

export function randomBatch(shape: readonly [number, number, number], batch: number, seed: number): tf.Tensor4D {
  const size = batch * shape[0] * shape[1] * shape[2];
  return tf.tensor4d(randomValues(size, seed, 'batch'), [batch, ...shape]);
}

/** Perturbs parameters, because initial zeros and ones hide wrong gradients, and zeros sit on kinks. */
export function perturb(parameters: readonly Parameter[], random: Random): void {
  for (const parameter of parameters) {
    const noise = tf.tensor(
      Float32Array.from({ length: parameter.size }, () => 0.1 * random.normal()),
      [...parameter.shape],
    );
    parameter.assign(tf.add(parameter.value, noise));
    noise.dispose();
  }
}
