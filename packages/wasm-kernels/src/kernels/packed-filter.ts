import type { Condition } from '../pool/pool.js';
import type { KernelContext } from './context.js';
import type { ConvolutionProblem } from './convolution-problem.js';

/** What a filter is packed for. */
export type PackedProblem = Pick<
  ConvolutionProblem,
  'filter' | 'kernelHeight' | 'kernelWidth' | 'inputShape' | 'outputShape' | 'isTurned'
>;

/** Output channels per tile of a packed filter. */
const LANES = 8;

/** Bytes of a filter that is packed for the kernels of assembly/packed-convolution.ts. */
export function packedBytesOf({ inputShape, outputShape, kernelHeight, kernelWidth }: PackedProblem): number {
  return 4 * LANES * Math.ceil(outputShape[3] / LANES) * kernelHeight * kernelWidth * inputShape[3];
}

/** Packs a filter at `packed`. */
export function packFilter(
  { heap, pool }: KernelContext,
  problem: PackedProblem,
  packed: number,
  condition?: Condition,
): void {
  const { filter, inputShape, outputShape, kernelHeight, kernelWidth, isTurned } = problem;
  const weights = heap.pointer(filter);
  const taps = kernelHeight * kernelWidth;
  const all = [weights, packed, taps, inputShape[3], outputShape[3], isTurned ? 1 : 0];
  pool.run('packFilter', 1, () => all, condition);
}
