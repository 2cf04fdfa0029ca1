import type { TrainingKernels } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';

/**
 * Training kernels on the heap of the wasm backend, for any shape. Buffers that other handles share are never written to.
 *
 * Results do not depend on the number of threads: sums are formed over fixed pieces in a fixed order.
 */
export interface WasmTrainingKernels extends TrainingKernels {
  readonly name: 'wasm-simd';
  readonly threads: number;
  /** min(max(x, low), high); NaN propagates. */
  clamp<T extends Tensor>(x: T, low: number, high: number): T;
  /** e^x */
  exp<T extends Tensor>(x: T): T;
  /** The error function. */
  erf<T extends Tensor>(x: T): T;
  /**
   * The products of matrices in the last two axes, with optional transposes. The other axes of a and b are the same, or one of the two
   * has a single matrix.
   */
  batchMatMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
  /** Joins tensors of float32 or int32, which have the same shape but for the length of `axis`. At least one is given. */
  concat<T extends Tensor>(tensors: readonly T[], axis: number): T;
  /**
   * The part of a tensor of float32 or int32 with `size[i]` indices from `begin[i]` on along each axis.
   *
   * @param shape of the result, of as many elements as `size`; default: `size`
   */
  slice<T extends Tensor>(x: Tensor, begin: readonly number[], size: readonly number[], shape?: readonly number[]): T;
  /** Stops the threads. */
  dispose(): void;
}
