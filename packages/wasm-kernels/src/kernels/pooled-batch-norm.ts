import type { BatchNormGradient, PooledBatchNormGradientRequest } from '@localgrad/kernels';
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import { PIECES, QUANTUM, rowsOf, sums, writeAffine, writeCoefficients } from './batch-norm.js';
import { type KernelContext, pieces } from './context.js';

/**
 * As `batchNormGradient`, of a cotangent that is the same throughout each window. Masking it again is cheaper than a map for the masked
 * one.
 */
export function pooledBatchNormGradient(
  context: KernelContext,
  request: PooledBatchNormGradientRequest,
): BatchNormGradient {
  const { dy, x, normalization, mask, overwriteInput } = request;
  const { heap, pool } = context;
  const { rows, channels } = rowsOf(x);
  const [, height, width] = x.shape;
  const map = [height, width, height / dy.shape[1], width / dy.shape[2]];
  const mode = mask === 'none' ? 0 : mask === 'recompute' ? 1 : 2;
  return context.scratch(4 * 6 * channels, (affine) => {
    writeAffine(context, affine, normalization);
    const mean = affine + 8 * channels;
    const coefficients = affine + 12 * channels;
    context.floats(mean, channels).set(context.values(normalization.mean));
    const [means, input] = [heap.pointer(dy), heap.pointer(x)];
    const output = typeof mask === 'string' ? 0 : heap.pointer(mask);
    const total = sums(context, 'pooledBatchNormGradientSums', x, (target, start, end) => [
      ...[means, input, output, mean, affine, target, start, end, channels, mode],
      ...map,
    ]);
    const dScale = heap.allocate<Tensor1D>([channels]);
    const dShift = heap.allocate<Tensor1D>([channels]);
    writeCoefficients(context, coefficients, normalization, total, rows, dScale, dShift);
    const dx = overwriteInput && !heap.shares(x) ? x : heap.allocate<Tensor4D>(x.shape);
    const to = heap.pointer(dx);
    const parts = pieces(rows, PIECES, QUANTUM);
    pool.run('pooledBatchNormGradientApply', parts.count, (piece) => [
      ...[means, input, output, to, affine, coefficients, ...parts.bounds(piece), channels, mode],
      ...map,
    ]);
    dy.dispose();
    if (overwriteInput && x !== dx) x.dispose();
    return { dx, dScale, dShift };
  });
}
