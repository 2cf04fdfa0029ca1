import type { ConvolutionGeometry } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';

/** The geometry in the form of the training kernels; undefined if they do not support it. */
export function symmetricGeometry(info: tf.backend_util.Conv2DInfo): ConvolutionGeometry | undefined {
  const { top, bottom, left, right } = info.padInfo;
  const isSymmetric = top >= bottom && left >= right;
  const isDense = info.dilationHeight === 1 && info.dilationWidth === 1;
  // Bottom or right padding that no window reaches may be smaller than the top padding: the kernels use the output size.
  return isSymmetric && isDense ? { stride: [info.strideHeight, info.strideWidth], padding: [top, left] } : undefined;
}
