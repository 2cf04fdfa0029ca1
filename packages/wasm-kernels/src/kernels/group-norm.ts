import type {
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
} from '@localgrad/kernels';
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';
import { isRowNorm, rowNorm, rowNormGradient } from './row-norm.js';

/** The pieces of a batch, the bytes of two doubles for each channel of each image, and the last arguments of the kernels. */
function measures(x: Tensor4D, { groups, epsilon }: Omit<GroupNormParameters, 'shift'>) {
  const [batch, height, width, channels] = x.shape;
  const images = pieces(batch, x.size < MINIMUM_FOR_THREADS ? 1 : 32);
  return { images, bytes: 16 * batch * channels, rest: [height * width, channels, groups, epsilon] };
}

export function groupNorm(
  context: KernelContext,
  x: Tensor4D,
  parameters: GroupNormParameters,
): GroupStatistics & { readonly output: Tensor4D } {
  if (isRowNorm(x, parameters)) return rowNorm(context, x, parameters);
  const { groups, scale, shift } = parameters;
  const { heap, pool, scratch } = context;
  const { images, bytes, rest } = measures(x, parameters);
  const output = heap.allocate<Tensor4D>(x.shape);
  const mean = heap.allocate<Tensor2D>([x.shape[0], groups]);
  const variance = heap.allocate<Tensor2D>([x.shape[0], groups]);
  scratch(1.5 * bytes, (sums) => {
    const pointers = [x, output, scale, shift, mean, variance].map((tensor) => heap.pointer(tensor));
    pool.runEvenly('groupNorm', images, [...pointers, sums, sums + bytes], rest);
  });
  return { output, mean, variance };
}

/**
 * With x̂ = (x − mean)/σ and means over a group's M values: dx = (scale·dy − mean(scale·dy) − x̂·mean(scale·dy·x̂))/σ, which
 * is k0·dy + k1·x + k2 for each image and channel.
 */
export function groupNormGradient(context: KernelContext, request: GroupNormGradientRequest): GroupNormGradient {
  const { dy, x, statistics, parameters } = request;
  if (isRowNorm(x, parameters)) return rowNormGradient(context, request);
  const { scale } = parameters;
  const { heap, pool, scratch } = context;
  const [batch, , , channels] = x.shape;
  const { images, bytes, rest } = measures(x, parameters);
  const dx = heap.shares(dy) ? heap.allocate<Tensor4D>(x.shape) : dy;
  const dScale = heap.allocate<Tensor1D>([channels]);
  const dShift = heap.allocate<Tensor1D>([channels]);
  scratch(1.75 * bytes, (sums) => {
    const tensors = [dy, x, dx, scale, statistics.mean, statistics.variance];
    const pointers = tensors.map((tensor) => heap.pointer(tensor));
    pool.runEvenly('groupNormGradient', images, [...pointers, sums, sums + bytes], rest);
    pool.run('addSums', 1, () => [sums, batch, channels, heap.pointer(dShift), heap.pointer(dScale)]);
  });
  if (dx !== dy) dy.dispose();
  return { dx, dScale, dShift };
}
