import { at } from '@localgrad/core';
import { currentKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

const BATCH = 16;
/** [size, channels] of the convolutions: the stages of a CIFAR ResNet. */
const STAGES = [
  [32, 16],
  [16, 32],
  [8, 64],
] as const;

/** Blocks per stage. Networks have many small weights, whose updates cost some backends as much as convolutions. */
const BLOCKS = 3;

/**
 * Least milliseconds of a fixed piece of training on the current backend: convolutions with batch norm and ReLU, their
 * gradients and updates. The least of several, because other programs only ever add time.
 */
export function measureStep(repeats = 8): number {
  const kernels = currentKernels();
  const blocks = STAGES.flatMap(([size, channels]) => Array.from({ length: BLOCKS }, () => new Block(size, channels)));
  let least = Number.POSITIVE_INFINITY;
  // The first one compiles.
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const start = performance.now();
    for (const block of blocks) block.train(kernels);
    if (repeat > 0) least = Math.min(least, performance.now() - start);
  }
  for (const block of blocks) block.dispose();
  return least;
}

class Block {
  readonly #x: tf.Tensor4D;
  #weights: readonly [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
  #velocities: readonly (tf.Tensor | undefined)[] = [];

  constructor(size: number, channels: number) {
    this.#x = tf.randomUniform([BATCH, size, size, channels], -1, 1, 'float32', 1);
    const filter = tf.randomUniform<tf.Rank.R4>([3, 3, channels, channels], -1, 1, 'float32', 2);
    this.#weights = [filter, tf.ones([channels]), tf.zeros([channels])];
  }

  train(kernels: TrainingKernels): void {
    const [x, weights, velocities] = [this.#x, this.#weights, this.#velocities];
    const updates = tf.tidy(() => {
      const [filter, scale, shift] = weights;
      const geometry = { stride: 1, padding: 1 };
      const output = kernels.conv2d(x, filter, geometry);
      const normalization = { ...kernels.batchStatistics(output), epsilon: 1e-5, scale, shift };
      const dy = kernels.batchNormApply(output, normalization, undefined, true);
      const request = {
        x: output,
        normalization,
        mask: 'recompute',
        overwriteInput: false,
        wantMasked: false,
      } as const;
      const { dx, dScale, dShift } = kernels.batchNormGradient({ dy, ...request });
      // Waits for backends that work in the background.
      kernels.conv2dInputGradient(dx, filter, x.shape, geometry).dataSync();
      const gradients = [kernels.conv2dFilterGradient(x, dx, filter.shape, geometry), dScale, dShift];
      const settings = { learningRate: 1e-3, momentum: 0.9, nesterov: true, weightDecay: 1e-4 };
      const requests = gradients.map((gradient, index) => {
        const [value, velocity] = [at<tf.Tensor>(weights, index, 'weight'), velocities[index]];
        return { value, gradient, velocity, ...settings };
      });
      return kernels.sgdUpdateAll(requests).map(({ value, velocity }) => ({ value, velocity }));
    });
    const values = updates.map(({ value }) => value);
    tf.dispose(weights.filter((weight) => !values.includes(weight)));
    const [filter, scale, shift] = values;
    this.#weights = [filter as tf.Tensor4D, scale as tf.Tensor1D, shift as tf.Tensor1D];
    this.#velocities = updates.map(({ velocity }) => velocity);
  }

  dispose(): void {
    tf.dispose([this.#x, ...this.#weights]);
    for (const velocity of this.#velocities) velocity?.dispose();
  }
}
