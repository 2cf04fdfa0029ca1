import { type Block, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { currentKernels, type Shape4 } from '@localgrad/kernels';
import { type Rank, reshape, type Tensor4D } from '@tensorflow/tfjs';
import { uniformFanIn } from '../random/initializers.js';
import { ConvolutionBlock, type ConvolutionOptions, convolutionOptionNames } from './convolution-block.js';
import { convolutionWindow } from './convolution-window.js';

/** `initializer` and `biasInitializer` default to U(±1/√fanIn) with the filter's cells as fan-in, as PyTorch's Conv2d. */
export interface DepthwiseConv2dOptions extends ConvolutionOptions {
  /** Output channels of each input channel. Default 1. */
  readonly multiplier?: number;
}

/**
 * A convolution with a filter of its own for each channel: PyTorch's Conv2d with as many groups as input channels. `weight`
 * is [kh, kw, 1, channels·multiplier], which is PyTorch's [channels·multiplier, 1, kh, kw] in this library's layout; `bias`
 * is [channels·multiplier].
 */
export function depthwiseConv2d(options: DepthwiseConv2dOptions): Block {
  rejectUnknownKeys('depthwiseConv2d', options, [...convolutionOptionNames, 'multiplier']);
  const { inputShape, multiplier = 1 } = options;
  const window = convolutionWindow('depthwiseConv2d', options);
  const [height, width] = window.kernelSize;
  const isPositive = Number.isInteger(multiplier) && multiplier > 0;
  requireOption(isPositive, 'depthwiseConv2d', 'multiplier', multiplier, 'positive integers');
  const fallback = uniformFanIn(height * width);
  const { initializer = fallback, biasInitializer = fallback } = options;
  const channels = inputShape[2] * multiplier;
  const weightShape: Shape4 = [height, width, 1, channels];
  /** The weight as the kernels expect it. */
  const filterOf = (weight: Tensor4D) =>
    reshape<Rank.R4>(weight, [weight.shape[0], weight.shape[1], inputShape[2], multiplier]);
  return new ConvolutionBlock(options, {
    window,
    channels,
    weightShape,
    initializer,
    biasInitializer,
    forward: (x, weight, geometry) => {
      const filter = filterOf(weight);
      const output = currentKernels().depthwiseConv2d(x, filter, geometry);
      filter.dispose();
      return output;
    },
    weightGradient: (x, dy, shape, geometry) => {
      const filterShape: Shape4 = [shape[0], shape[1], inputShape[2], multiplier];
      const gradient = currentKernels().depthwiseConv2dFilterGradient(x, dy, filterShape, geometry);
      return inShape(gradient, shape);
    },
    inputGradient: (dy, weight, shape, geometry) => {
      const filter = filterOf(weight);
      const gradient = currentKernels().depthwiseConv2dInputGradient(dy, filter, shape, geometry);
      filter.dispose();
      return gradient;
    },
  });
}

/** Another handle on the same data; consumes `tensor`. */
function inShape(tensor: Tensor4D, shape: Shape4): Tensor4D {
  const reshaped = reshape<Rank.R4>(tensor, [...shape]);
  tensor.dispose();
  return reshaped;
}
