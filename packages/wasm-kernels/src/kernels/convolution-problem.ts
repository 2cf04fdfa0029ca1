import type { ConvolutionMeasures, Shape4 } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';

/** Strides and paddings by axis. */
export type Strides = Omit<ConvolutionMeasures, 'outHeight' | 'outWidth'>;

/** A convolution that a kernel computes, or the input gradient of one. */
export interface ConvolutionProblem extends Strides {
  readonly x: Tensor;
  /** [batch, height, width, channels] */
  readonly inputShape: Shape4;
  readonly filter: Tensor;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** [batch, height, width, channels] */
  readonly outputShape: Shape4;
  /** Whether the filter is [kh, kw, out, in] and is rotated by 180°: the input gradient at stride 1. */
  readonly isTurned: boolean;
}
