import type { Shape4 } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';

/** A convolution that a kernel computes, or the input gradient of one. */
export interface ConvolutionProblem {
  readonly x: Tensor;
  /** [batch, height, width, channels] */
  readonly inputShape: Shape4;
  readonly filter: Tensor;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** [batch, height, width, channels] */
  readonly outputShape: Shape4;
  readonly stride: number;
  readonly padding: number;
  /** Whether the filter is [kh, kw, out, in] and is rotated by 180°: the input gradient at stride 1. */
  readonly isTurned: boolean;
}
