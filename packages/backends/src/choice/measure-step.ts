import { currentKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

const BATCH = 16;
/** [size, channels] of the convolutions: the stages of a CIFAR ResNet. */
const STAGES = [
  [32, 16],
  [16, 32],
  [8, 64],
] as const;

/**
 * Least milliseconds of a fixed piece of training on the current backend: three convolutions with batch norm, and their
 * gradients. The least of several, because other programs only ever add time.
 */
export function measureStep(repeats = 8): number {
  const kernels = currentKernels();
  const stages = STAGES.map(([size, channels]) => createStage(size, channels));
  let least = Number.POSITIVE_INFINITY;
  // The first one compiles.
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const start = performance.now();
    for (const stage of stages) tf.tidy(() => runStage(kernels, stage));
    if (repeat > 0) least = Math.min(least, performance.now() - start);
  }
  tf.dispose(stages.map(Object.values));
  return least;
}

interface Stage {
  readonly x: tf.Tensor4D;
  readonly filter: tf.Tensor4D;
  readonly scale: tf.Tensor1D;
  readonly shift: tf.Tensor1D;
}

function createStage(size: number, channels: number): Stage {
  return {
    x: tf.randomUniform([BATCH, size, size, channels], -1, 1, 'float32', 1),
    filter: tf.randomUniform([3, 3, channels, channels], -1, 1, 'float32', 2),
    scale: tf.ones([channels]),
    shift: tf.zeros([channels]),
  };
}

function runStage(kernels: TrainingKernels, { x, filter, scale, shift }: Stage): void {
  const geometry = { stride: 1, padding: 1 };
  const output = kernels.conv2d(x, filter, geometry);
  const normalization = { ...kernels.batchStatistics(output), epsilon: 1e-5, scale, shift };
  const dy = kernels.batchNormApply(output, normalization, undefined, true);
  const gradients = [
    kernels.conv2dInputGradient(dy, filter, x.shape, geometry),
    kernels.conv2dFilterGradient(x, dy, filter.shape, geometry),
  ];
  // Waits for backends that work in the background.
  for (const gradient of gradients) gradient.dataSync();
}
