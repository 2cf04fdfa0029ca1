import {
  formatShape,
  LocalgradError,
  moduleInputTarget,
  outputGradientTarget,
  sameShape,
  type Targets,
} from '@localgrad/core';
import { reshape, type Tensor, type Tensor4D } from '@tensorflow/tfjs';

/**
 * Returns a target of the batch by name.
 *
 * @param reader reader of the target, for the message: `head 'aux'`, `loss 'meanSquaredError'`
 * @throws LocalgradError `misuse` when the batch has no such target, or one of the wrong type; see `checkTarget`
 */
export function requireTarget<Name extends string>(
  targets: Targets,
  name: Name,
  reader: string,
): NonNullable<Targets[Name]> {
  const target = targets[name];
  if (target === undefined || target === null) {
    const carried = Object.keys(targets).filter((other) => targets[other] !== undefined);
    const hint = name === 'images' ? ' Create the batches with `withImages: true`.' : '';
    throw new LocalgradError(
      'misuse',
      `The batch has no target '${name}', which ${reader} reads; its targets: ${carried.join(', ') || 'none'}.${hint}`,
      { target: name, reader, carried },
    );
  }
  checkTarget(name, target, reader);
  return target;
}

/**
 * Checks the type of the targets that `Targets` defines: kernels read their memory without a conversion. Others may have
 * any type.
 *
 * @param reader reader of the target, for the message
 * @throws LocalgradError `misuse` unless `labels` are int32 of shape [batch], and images float32 with four axes
 */
export function checkTarget(name: string, target: Tensor, reader: string): void {
  if (name === 'labels') checkClasses(name, target, reader, 1);
  const isMap = name === 'images' || name === moduleInputTarget || name === outputGradientTarget;
  if (isMap && (target.dtype !== 'float32' || target.rank !== 4)) {
    const cure = "use float32 values of shape [batch, height, width, channels], e.g. tf.cast(images, 'float32')";
    throw wrongType(name, target, reader, cure);
  }
}

/** @param rank number of axes: one class for each of their positions */
export function checkClasses(name: string, target: Tensor, reader: string, rank: number): void {
  if (target.rank === rank + 1) {
    throw wrongType(name, target, reader, 'use one class per entry: tf.argMax(oneHot, -1) of one-hot rows');
  }
  if (target.rank !== rank)
    throw wrongType(name, target, reader, `it needs ${rank === 1 ? 'one axis' : `${rank} axes`}`);
  if (target.dtype === 'int32') return;
  const creation = rank === 1 ? "tf.tensor1d(classes, 'int32')" : "tf.tensor(classes, shape, 'int32')";
  throw wrongType(name, target, reader, `classes are int32: ${creation}, or tf.cast(${name}, 'int32')`);
}

/**
 * Fails unless a loss has classes to compare; TensorFlow.js has no one-hot vectors of length 1.
 *
 * @param loss its name, for the message
 * @throws LocalgradError `invalid-data`
 */
export function requireClasses(classes: number, loss: string): void {
  if (classes >= 2) return;
  throw new LocalgradError(
    'invalid-data',
    `Loss '${loss}' needs at least two classes, but the output has ${classes}: of images in folders, each folder is a class.`,
    { loss, classes },
  );
}

function wrongType(name: string, { dtype, shape, rank }: Tensor, reader: string, cure: string): LocalgradError {
  const extents = rank === 0 ? 'without axes' : `of shape [${shape.join(', ')}]`;
  return new LocalgradError(
    'misuse',
    `The target '${name}', which ${reader} reads, is a ${dtype} tensor ${extents}; ${cure}.`,
    { target: name, reader, dtype, shape },
  );
}

/** A target with one value per output value, in the output's shape. The result shares the target's data. */
export function targetLike(output: Tensor4D, targets: Targets, name: string, loss: string): Tensor4D {
  const target: Tensor = requireTarget(targets, name, `loss '${loss}'`);
  const [batch, height, width, channels] = output.shape;
  // Shapes [batch, n] and [batch] correspond to feature maps of one pixel.
  const rows = height === 1 && width === 1 ? [[batch, channels], ...(channels === 1 ? [[batch]] : [])] : [];
  if (![output.shape, ...rows].some((shape) => sameShape(shape, target.shape))) {
    throw new LocalgradError(
      'shape-mismatch',
      `Loss '${loss}': the output has shape ${formatShape(output.shape)}, but target '${name}' has ${formatShape(target.shape)}.`,
      { loss, output: output.shape, target: name, found: target.shape },
    );
  }
  return reshape(target, output.shape);
}
