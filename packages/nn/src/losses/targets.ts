import { formatShape, LocalgradError, sameShape, type Targets } from '@localgrad/core';
import { reshape, type Tensor, type Tensor4D } from '@tensorflow/tfjs';

/**
 * Returns a target of the batch by name.
 *
 * @param reader reader of the target, for the message: `head 'aux'`, `loss 'meanSquaredError'`
 * @throws LocalgradError `misuse` when the batch has no such target
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
  return target;
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
