import type {
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
} from '@localgrad/kernels';
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { PIECES, QUANTUM, withSums } from './batch-norm.js';
import { type KernelContext, pieces } from './context.js';

/** Whether a group norm normalizes rows of channels: one group, images of one pixel. */
export function isRowNorm(
  { shape: [, height, width] }: Tensor4D,
  { groups }: Pick<GroupNormParameters, 'groups'>,
): boolean {
  return groups === 1 && height * width === 1;
}

export function rowNorm(
  context: KernelContext,
  x: Tensor4D,
  { epsilon, scale, shift }: GroupNormParameters,
): GroupStatistics & { readonly output: Tensor4D } {
  const { heap, pool } = context;
  const [rows, , , channels] = x.shape;
  const output = heap.allocate<Tensor4D>(x.shape);
  const mean = heap.allocate<Tensor2D>([rows, 1]);
  const variance = heap.allocate<Tensor2D>([rows, 1]);
  const addresses = [x, output, mean, variance, scale, shift].map((tensor) => heap.pointer(tensor));
  const parts = pieces(rows, PIECES, QUANTUM);
  pool.runEvenly('rowNorm', parts, addresses, [channels, epsilon]);
  return { output, mean, variance };
}

export function rowNormGradient(context: KernelContext, request: GroupNormGradientRequest): GroupNormGradient {
  const { dy, x, statistics, parameters } = request;
  const { epsilon, scale } = parameters;
  const { heap, pool } = context;
  const channels = x.shape[3];
  const dx = heap.shares(dy) ? heap.allocate<Tensor4D>(x.shape) : dy;
  const dScale = heap.allocate<Tensor1D>([channels]);
  const dShift = heap.allocate<Tensor1D>([channels]);
  const addresses = [dy, x, dx, statistics.mean, statistics.variance, scale].map((tensor) => heap.pointer(tensor));
  const argumentsOf = (target: number, start: number, end: number) => [
    ...addresses,
    ...[target, start, end, channels, epsilon],
  ];
  withSums(context, 'rowNormGradient', x, argumentsOf, (sums, count) => {
    const to = [heap.pointer(dShift), heap.pointer(dScale)];
    pool.run('addSums', 1, () => [sums, count, channels, ...to]);
  });
  if (dx !== dy) dy.dispose();
  return { dx, dScale, dShift };
}
