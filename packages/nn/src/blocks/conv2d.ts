import { type Block, rejectUnknownKeys } from '@localgrad/core';
import { currentKernels, type Shape4 } from '@localgrad/kernels';
import { heNormalFanOut, uniformFanIn } from '../random/initializers.js';
import { ConvolutionBlock, type ConvolutionOptions, convolutionOptionNames } from './convolution-block.js';
import { convolutionWindow } from './convolution-window.js';

/** `initializer` defaults to He normal by fan-out. */
export interface Conv2dOptions extends ConvolutionOptions {
  /** Number of output channels. */
  readonly channels: number;
}

/** A convolution with `weight` [kh, kw, in, out] and `bias` [out]. */
export function conv2d(options: Conv2dOptions): Block {
  rejectUnknownKeys('conv2d', options, [...convolutionOptionNames, 'channels']);
  const { inputShape, channels, initializer = heNormalFanOut } = options;
  const window = convolutionWindow('conv2d', options);
  const [height, width] = window.kernelSize;
  const { biasInitializer = uniformFanIn(height * width * inputShape[2]) } = options;
  const weightShape: Shape4 = [height, width, inputShape[2], channels];
  return new ConvolutionBlock(options, {
    window,
    channels,
    weightShape,
    initializer,
    biasInitializer,
    forward: (x, weight, geometry) => currentKernels().conv2d(x, weight, geometry),
    weightGradient: (x, dy, shape, geometry) => currentKernels().conv2dFilterGradient(x, dy, shape, geometry),
    inputGradient: (dy, weight, shape, geometry) => currentKernels().conv2dInputGradient(dy, weight, shape, geometry),
  });
}
