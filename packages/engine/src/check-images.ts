import { LocalgradError, type Shape3, sameShape } from '@localgrad/core';
import type * as tf from '@tensorflow/tfjs';
import type { Batch } from './step.js';

/**
 * Checks that a batch has images and targets: programs without types pass what other libraries expect.
 *
 * @throws LocalgradError `misuse`
 */
export function checkParts(batch: Partial<Batch> | undefined): void {
  if (batch?.images !== undefined && typeof batch.targets === 'object' && batch.targets !== null) return;
  const found = Object.keys(batch ?? {});
  throw new LocalgradError(
    'misuse',
    `A batch must be { images, targets: { labels, … } }; this one has ${found.join(', ') || 'neither'}.`,
    { expected: ['images', 'targets'], found },
  );
}

/**
 * Checks images before the blocks run: kernels read their memory without a conversion.
 *
 * @param reader what expects the images, for the message
 * @throws LocalgradError `shape-mismatch` for another shape than [batch, ...shape], `misuse` unless they are float32
 */
export function checkImages({ shape: found, dtype }: tf.Tensor, shape: Shape3, reader: string): void {
  const expected = [found[0] ?? 0, ...shape];
  if (!sameShape(found, expected)) {
    throw new LocalgradError(
      'shape-mismatch',
      `${reader} must have images of shape [${expected.join(', ')}], but has [${found.join(', ')}].`,
      { expected, found },
    );
  }
  if (dtype === 'float32') return;
  throw new LocalgradError(
    'misuse',
    `${reader} must have float32 images, but has ${dtype}; convert them with tf.cast(images, 'float32'), and normalize them as in training.`,
    { expected: 'float32', found: dtype },
  );
}
