import { bytesOf, type Mode } from '@localgrad/core';
import { currentKernels, type Shape4 } from '@localgrad/kernels';
import { concat, dispose, slice, type Tensor4D } from '@tensorflow/tfjs';
import { runningStatistics } from './batch-norm-parameters.js';
import { type Convolved, filterShape } from './convolution-steps.js';
import { batched, type ConvolutionUnit } from './convolution-unit.js';
import { filterOf } from './parameter-values.js';

/** A unit's convolution. With groups, each group of output channels reads its own group of input channels. */
export function convolve(unit: ConvolutionUnit, x: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  if (unit.groups === 1) return kernels.conv2d(x, filterOf(unit.weight), unit.geometry);
  return byGroup(unit.groups, (part) =>
    using([part(x), part(filterOf(unit.weight))], ([xs, filter]) => kernels.conv2d(xs, filter, unit.geometry)),
  );
}

/** The convolution, with the statistics of its output where the kernels compute both together in training. */
export function convolveUnit(unit: ConvolutionUnit, x: Tensor4D, mode: Mode): Convolved {
  const kernels = currentKernels();
  if (!mode.training || unit.groups > 1 || kernels.conv2dStatistics === undefined) return { z: convolve(unit, x) };
  const running = runningStatistics(unit.norm, mode);
  const { output, ...moved } = kernels.conv2dStatistics(x, filterOf(unit.weight), unit.geometry, running);
  return { z: output, moved };
}

/** The gradient of a unit's input, plus `added` if given. Borrows its arguments. */
export function convolutionInputGradient(unit: ConvolutionUnit, dy: Tensor4D, added?: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const [batch, height, width, channels] = batched(unit.inputShape, dy.shape[0]);
  const shape: Shape4 = [batch, height, width, channels / unit.groups];
  if (unit.groups === 1) return kernels.conv2dInputGradient(dy, filterOf(unit.weight), shape, unit.geometry, added);
  const input = byGroup(unit.groups, (part) =>
    using([part(dy), part(filterOf(unit.weight))], ([dys, filter]) =>
      kernels.conv2dInputGradient(dys, filter, shape, unit.geometry),
    ),
  );
  return added === undefined ? input : kernels.accumulate(input, added);
}

export function convolutionFilterGradient(unit: ConvolutionUnit, x: Tensor4D, dy: Tensor4D): Tensor4D {
  const kernels = currentKernels();
  const [height, width, inputs, outputs] = filterShape(unit);
  const shape: Shape4 = [height, width, inputs, outputs / unit.groups];
  if (unit.groups === 1) return kernels.conv2dFilterGradient(x, dy, shape, unit.geometry);
  return byGroup(unit.groups, (part) =>
    using([part(x), part(dy)], ([xs, dys]) => kernels.conv2dFilterGradient(xs, dys, shape, unit.geometry)),
  );
}

/** Bytes beyond the result while an operation of a unit runs: 0 without groups. */
export function transientBytes(
  unit: ConvolutionUnit,
  operation: 'forward' | 'inputGradient' | 'filterGradient',
  batchSize: number,
): number {
  if (unit.groups === 1) return 0;
  const input = bytesOf(unit.inputShape, batchSize);
  const output = bytesOf(unit.outputShape, batchSize);
  const filter = 4 * unit.weight.size;
  const { result, read } = {
    forward: { result: output, read: input + filter },
    inputGradient: { result: input, read: output + filter },
    filterGradient: { result: filter, read: input + output },
  }[operation];
  // The parts of the result and their concatenation; or the last group's slices beside the parts.
  return Math.max(result, read / unit.groups);
}

/** Concatenates the groups' results along the channels. `part` copies a tensor's channels of the group. */
function byGroup(groups: number, run: (part: (x: Tensor4D) => Tensor4D) => Tensor4D): Tensor4D {
  const parts = Array.from({ length: groups }, (_, group) =>
    run((x) => {
      const [a, b, c, channels] = x.shape;
      const size = channels / groups;
      return slice(x, [0, 0, 0, group * size], [a, b, c, size]);
    }),
  );
  const result = concat(parts, 3);
  dispose(parts);
  return result;
}

/** Disposes both tensors after the run. */
function using(
  tensors: readonly [Tensor4D, Tensor4D],
  run: (tensors: readonly [Tensor4D, Tensor4D]) => Tensor4D,
): Tensor4D {
  const result = run(tensors);
  dispose([...tensors]);
  return result;
}
