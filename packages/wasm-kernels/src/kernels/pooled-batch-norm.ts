import type { BatchNormGradient, PooledBatchNormGradientRequest } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { gradientSums, PIECES, QUANTUM, rowsOf, withGradientPlaces } from './batch-norm.js';
import { type KernelContext, pieces } from './context.js';

/**
 * As `batchNormGradient`, of a cotangent that is the same throughout each window. Masking it again is cheaper than a map for the masked
 * one.
 */
export function pooledBatchNormGradient(
  context: KernelContext,
  request: PooledBatchNormGradientRequest,
): BatchNormGradient {
  const { dy, x, overwriteInput } = request;
  const { heap, pool } = context;
  const { rows, channels } = rowsOf(x);
  const [, height, width] = x.shape;
  const map = [height, width, height / dy.shape[1], width / dy.shape[2]];
  return withGradientPlaces(context, request, (places) => {
    const { input, output, means, affine, coefficients, mode } = places;
    const cotangent = heap.pointer(dy);
    const kernel = 'pooledBatchNormGradientSums';
    const { dScale, dShift } = gradientSums(context, request, places, kernel, (target, start, end) => [
      ...[cotangent, input, output, means, affine, target, start, end, channels, mode],
      ...map,
    ]);
    const dx = overwriteInput && !heap.shares(x) ? x : heap.allocate<Tensor4D>(x.shape);
    const to = heap.pointer(dx);
    const parts = pieces(rows, PIECES, QUANTUM);
    const before = [cotangent, input, output, to, affine, coefficients];
    pool.runEvenly('pooledBatchNormGradientApply', parts, before, [channels, mode, ...map]);
    dy.dispose();
    if (overwriteInput && x !== dx) x.dispose();
    return { dx, dScale, dShift };
  });
}
