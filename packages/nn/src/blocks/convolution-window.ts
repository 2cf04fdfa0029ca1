import { requireOption, type Shape3 } from '@localgrad/core';
import { bothAxes, type PerAxis, type Shape4 } from '@localgrad/kernels';
import { pad, type Rank, reshape, slice, stridedSlice, type Tensor4D, tidy } from '@tensorflow/tfjs';

type Pair = readonly [height: number, width: number];

/** How a convolution passes over its input. */
export interface ConvolutionWindowOptions {
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Height and width of the filter. Default 3. */
  readonly kernelSize?: PerAxis;
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Zero padding on both sides of an axis; by default, the size stays the same at stride 1. */
  readonly padding?: PerAxis;
  /** Distance of neighboring taps of the filter. Default 1. */
  readonly dilation?: PerAxis;
}

/** The options of a convolution, by axis. */
export interface ConvolutionWindow {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  /** Cells from the first to the last tap. */
  readonly reach: Pair;
}

/** @param owner function that the user called @throws LocalgradError `invalid-option` */
export function convolutionWindow(owner: string, options: ConvolutionWindowOptions): ConvolutionWindow {
  const axes = (key: 'kernelSize' | 'stride' | 'padding' | 'dilation', value: PerAxis, minimum: 0 | 1): Pair => {
    const pair = bothAxes(value);
    const fits = pair.length === 2 && pair.every((one) => Number.isInteger(one) && one >= minimum);
    const allowed = `${minimum === 0 ? 'integers ≥ 0' : 'positive integers'}, or two for height and width`;
    requireOption(fits, owner, key, value, allowed);
    return pair;
  };
  const kernelSize = axes('kernelSize', options.kernelSize ?? 3, 1);
  const stride = axes('stride', options.stride ?? 1, 1);
  const dilation = axes('dilation', options.dilation ?? 1, 1);
  const reach: Pair = [(kernelSize[0] - 1) * dilation[0] + 1, (kernelSize[1] - 1) * dilation[1] + 1];
  const padding = axes('padding', options.padding ?? [(reach[0] - 1) / 2, (reach[1] - 1) / 2], 0);
  return { kernelSize, stride, padding, dilation, reach };
}

export function isDilated({ dilation }: ConvolutionWindow): boolean {
  return dilation[0] > 1 || dilation[1] > 1;
}

/**
 * The filter with zeros between its taps, [reach…, a, b]. A convolution with it is the dilated one, with gradients on every
 * backend.
 */
export function spreadFilter(filter: Tensor4D, { dilation, reach }: ConvolutionWindow): Tensor4D {
  const [rows, columns, a, b] = filter.shape;
  const [down, right] = dilation;
  return tidy(() => {
    const wide = pad(reshape<Rank.R3>(filter, [rows * columns, 1, a * b]), [
      [0, 0],
      [0, right - 1],
      [0, 0],
    ]);
    const tall = pad(reshape<Rank.R3>(wide, [rows, 1, columns * right * a * b]), [
      [0, 0],
      [0, down - 1],
      [0, 0],
    ]);
    const grid = reshape<Rank.R4>(tall, [rows * down, columns * right, a, b]);
    return slice(grid, [0, 0, 0, 0], [...reach, a, b]);
  });
}

/** The adjoint of `spreadFilter`: the taps' part of a gradient. Consumes the gradient. */
export function gatherTaps(gradient: Tensor4D, { kernelSize, dilation }: ConvolutionWindow): Tensor4D {
  const [, , a, b] = gradient.shape;
  return tidy(() => {
    const taps = stridedSlice(gradient, [0, 0, 0, 0], gradient.shape, [...dilation, 1, 1]);
    gradient.dispose();
    return reshape<Rank.R4>(taps, [...kernelSize, a, b]);
  });
}

/** Number of values of a filter, with the zeros between its taps. */
export function spreadSize([, , a, b]: Shape4, { reach }: ConvolutionWindow): number {
  return reach[0] * reach[1] * a * b;
}

/** Bytes of `spreadFilter`'s result, and at its peak. */
export function spreadBytes(weightShape: Shape4, window: ConvolutionWindow): { result: number; peak: number } {
  const [rows, columns, a, b] = weightShape;
  const [down, right] = window.dilation;
  const wide = rows * columns * right * a * b;
  const result = 4 * spreadSize(weightShape, window);
  return { result, peak: 4 * (wide + wide * down) + result };
}

/** @param weightShape [kh, kw, a, b] @returns [reach…, a, b] */
export function spreadShape([, , a, b]: Shape4, { reach }: ConvolutionWindow): Shape4 {
  return [...reach, a, b];
}
