import { type Block, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { currentKernels, type Shape4 } from '@localgrad/kernels';
import { type Rank, reshape, type Tensor } from '@tensorflow/tfjs';
import { uniformFanIn } from '../random/initializers.js';
import { ConvolutionBlock, type ConvolutionOptions, convolutionOptionNames } from './convolution-block.js';

/** `initializer` and `biasInitializer` default to U(±1/√fanIn) with a fan-in of kernelSize², as PyTorch's Conv2d. */
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
  const { inputShape, multiplier = 1, kernelSize = 3 } = options;
  const isPositive = Number.isInteger(multiplier) && multiplier > 0;
  requireOption(isPositive, 'depthwiseConv2d', 'multiplier', multiplier, 'positive integers');
  const fallback = uniformFanIn(kernelSize * kernelSize);
  const { initializer = fallback, biasInitializer = fallback } = options;
  const channels = inputShape[2] * multiplier;
  const weightShape: Shape4 = [kernelSize, kernelSize, 1, channels];
  const filterShape: Shape4 = [kernelSize, kernelSize, inputShape[2], multiplier];
  return new ConvolutionBlock(options, {
    channels,
    weightShape,
    initializer,
    biasInitializer,
    forward: (x, weight, geometry) => {
      const filter = reshape<Rank.R4>(weight, [...filterShape]);
      const output = currentKernels().depthwiseConv2d(x, filter, geometry);
      filter.dispose();
      return output;
    },
    weightGradient: (x, dy, geometry) => {
      const gradient = currentKernels().depthwiseConv2dFilterGradient(x, dy, filterShape, geometry);
      return inShape(gradient, weightShape);
    },
    inputGradient: (dy, weight, shape, geometry) => {
      const filter = reshape<Rank.R4>(weight, [...filterShape]);
      const gradient = currentKernels().depthwiseConv2dInputGradient(dy, filter, shape, geometry);
      filter.dispose();
      return gradient;
    },
  });
}

/** Another handle on the same data; consumes `tensor`. */
function inShape(tensor: Tensor, shape: Shape4): Tensor {
  const reshaped = reshape<Rank.R4>(tensor, [...shape]);
  tensor.dispose();
  return reshaped;
}
