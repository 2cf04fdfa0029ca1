import type { ConvolutionGeometry, PerAxis, Shape4 } from './training-kernels.js';

/** Strides and paddings of a convolution by axis, and the size of its output. */
export interface ConvolutionMeasures {
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly paddingHeight: number;
  readonly paddingWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

/** The values for height and width. */
export function bothAxes(value: PerAxis): readonly [height: number, width: number] {
  return typeof value === 'number' ? [value, value] : value;
}

/**
 * For kernels, which read each axis separately. The output has ⌊(size + 2·padding − filter) / stride⌋ + 1 cells along an
 * axis.
 *
 * @param inputShape [n, h, w, c] @param filterShape [kh, kw, …]
 */
export function convolutionMeasures(
  [, height, width]: Shape4,
  [kernelHeight, kernelWidth]: Shape4,
  { stride, padding }: ConvolutionGeometry,
): ConvolutionMeasures {
  const [strideHeight, strideWidth] = bothAxes(stride);
  const [paddingHeight, paddingWidth] = bothAxes(padding);
  const outHeight = Math.floor((height + 2 * paddingHeight - kernelHeight) / strideHeight) + 1;
  const outWidth = Math.floor((width + 2 * paddingWidth - kernelWidth) / strideWidth) + 1;
  return { strideHeight, strideWidth, paddingHeight, paddingWidth, outHeight, outWidth };
}
