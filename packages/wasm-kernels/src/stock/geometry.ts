import { LocalgradError } from '@localgrad/core';
import { type ConvolutionGeometry, convolutionMeasures, type Shape4 } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';

/**
 * The geometry in the form of the training kernels; undefined if they do not support it. They pad both sides alike, so that bottom or
 * right padding may be smaller only if no window reaches it.
 */
export function symmetricGeometry(info: tf.backend_util.Conv2DInfo): ConvolutionGeometry | undefined {
  const { inShape, filterShape, padInfo, outHeight, outWidth } = info;
  const geometry: ConvolutionGeometry = {
    stride: [info.strideHeight, info.strideWidth],
    padding: [padInfo.top, padInfo.left],
  };
  const measures = convolutionMeasures(inShape as unknown as Shape4, filterShape as unknown as Shape4, geometry);
  const isSymmetric = measures.outHeight === outHeight && measures.outWidth === outWidth;
  const isDense = info.dilationHeight === 1 && info.dilationWidth === 1;
  return isSymmetric && isDense ? geometry : undefined;
}

type Windows = Pick<tf.backend_util.Conv2DInfo, 'inHeight' | 'inWidth' | 'outHeight' | 'outWidth' | 'padInfo'> &
  Pick<tf.backend_util.Conv2DInfo, 'effectiveFilterHeight' | 'effectiveFilterWidth'>;

/**
 * Convolutions and pooling whose windows are just too large have an empty output; beyond, its size would be negative.
 *
 * @throws LocalgradError `misuse` if the size of the output is negative
 */
export function requireWindows(what: string, info: Windows): void {
  if (info.outHeight >= 0 && info.outWidth >= 0) return;
  const { top, bottom, left, right } = info.padInfo;
  throw new LocalgradError(
    'misuse',
    `${what} has windows of ${info.effectiveFilterHeight} × ${info.effectiveFilterWidth} pixels, but its input has only ` +
      `${info.inHeight} × ${info.inWidth} pixels, padded by ${top + bottom} rows and ${left + right} columns. ` +
      'Use a smaller filter or dilation, or more padding.',
  );
}
