import { type ConvolutionGeometry, convolutionMeasures, type Shape4 } from '@localgrad/kernels';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { runElementwise, type WebGpuBackend } from '../program.js';
import { sumOfParts } from './matrix-product.js';

/** Maximum number of pieces of the output rows in the filter gradient. */
const mostPieces = 64;

/** How a convolution divides the channels. */
interface Groups {
  /** Input channels of a group. */
  readonly inputs: number;
  /** Output channels of a group. */
  readonly outputs: number;
  /** Output channels of all groups. */
  readonly outChannels: number;
}

/** @param filter [height, width, input channels of a group, output channels] */
function grouped([, , inputs, outChannels]: Shape4, groups: number): Groups {
  return { inputs, outputs: outChannels / groups, outChannels };
}

/**
 * As many groups as channels: the filter's weights have the order of those of a grouped convolution.
 *
 * @param filter [height, width, channels, multiplier]
 */
function depthwise([, , channels, multiplier]: Shape4): Groups {
  return { inputs: 1, outputs: multiplier, outChannels: channels * multiplier };
}

function measures(input: Shape4, filter: Shape4, groups: Groups, geometry: ConvolutionGeometry) {
  const [batch, inHeight, inWidth, channels] = input;
  const [kernelHeight, kernelWidth] = filter;
  const found = convolutionMeasures(input, filter, geometry);
  const { outHeight, outWidth } = found;
  return {
    integers: { inHeight, inWidth, channels, kernelHeight, kernelWidth, ...groups, ...found },
    outputShape: [batch, outHeight, outWidth, groups.outChannels] as const,
    outRows: batch * outHeight,
  };
}

export function groupedConv2d(
  backend: WebGpuBackend,
  x: Tensor4D,
  filter: Tensor4D,
  groups: number,
  geometry: ConvolutionGeometry,
): Tensor4D {
  return convolve(backend, x, filter, grouped(filter.shape, groups), geometry);
}

export function groupedConv2dInputGradient(
  backend: WebGpuBackend,
  dy: Tensor4D,
  filter: Tensor4D,
  groups: number,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  return inputGradient(backend, dy, filter, grouped(filter.shape, groups), inputShape, geometry);
}

export function groupedConv2dFilterGradient(
  backend: WebGpuBackend,
  x: Tensor4D,
  dy: Tensor4D,
  groups: number,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  return filterGradient(backend, x, dy, grouped(filterShape, groups), filterShape, geometry);
}

export function depthwiseConv2d(
  backend: WebGpuBackend,
  x: Tensor4D,
  filter: Tensor4D,
  geometry: ConvolutionGeometry,
): Tensor4D {
  return convolve(backend, x, filter, depthwise(filter.shape), geometry);
}

export function depthwiseConv2dInputGradient(
  backend: WebGpuBackend,
  dy: Tensor4D,
  filter: Tensor4D,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  return inputGradient(backend, dy, filter, depthwise(filter.shape), inputShape, geometry);
}

export function depthwiseConv2dFilterGradient(
  backend: WebGpuBackend,
  x: Tensor4D,
  dy: Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  return filterGradient(backend, x, dy, depthwise(filterShape), filterShape, geometry);
}

/** Each invocation computes a value of the output from the input channels of its group. */
function convolve(
  backend: WebGpuBackend,
  x: Tensor4D,
  filter: Tensor4D,
  groups: Groups,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const { integers, outputShape } = measures(x.shape, filter.shape, groups, geometry);
  return runElementwise<Tensor4D>(backend, {
    key: 'groupedConv2d',
    inputs: { x, filterValues: filter },
    outputShape,
    integers,
    body: `
      let outChannel = index % uniforms.outChannels;
      let pixel = index / uniforms.outChannels;
      let image = pixel / (uniforms.outHeight * uniforms.outWidth);
      let top = ((pixel / uniforms.outWidth) % uniforms.outHeight) * uniforms.strideHeight - uniforms.paddingHeight;
      let left = (pixel % uniforms.outWidth) * uniforms.strideWidth - uniforms.paddingWidth;
      let first = outChannel / uniforms.outputs * uniforms.inputs;
      var total = 0.0;
      for (var i = max(0, -top); i < min(uniforms.kernelHeight, uniforms.inHeight - top); i++) {
        for (var j = max(0, -left); j < min(uniforms.kernelWidth, uniforms.inWidth - left); j++) {
          let cell = ((image * uniforms.inHeight + top + i) * uniforms.inWidth + left + j) * uniforms.channels + first;
          let tap = (i * uniforms.kernelWidth + j) * uniforms.inputs;
          for (var c = 0; c < uniforms.inputs; c++) {
            total += x[cell + c] * filterValues[(tap + c) * uniforms.outChannels + outChannel];
          }
        }
      }
      result[index] = total;`,
  });
}

function inputGradient(
  backend: WebGpuBackend,
  dy: Tensor4D,
  filter: Tensor4D,
  groups: Groups,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const { integers } = measures(inputShape, filter.shape, groups, geometry);
  return runElementwise<Tensor4D>(backend, {
    key: 'groupedConv2dInputGradient',
    inputs: { dy, filterValues: filter },
    outputShape: inputShape,
    integers,
    body: `
      let channel = index % uniforms.channels;
      let cell = index / uniforms.channels;
      let image = cell / (uniforms.inHeight * uniforms.inWidth);
      let row = (cell / uniforms.inWidth) % uniforms.inHeight + uniforms.paddingHeight;
      let column = cell % uniforms.inWidth + uniforms.paddingWidth;
      let first = channel / uniforms.inputs * uniforms.outputs;
      let own = channel % uniforms.inputs;
      var total = 0.0;
      for (var i = 0; i < uniforms.kernelHeight; i++) {
        let down = row - i;
        if (down < 0 || down % uniforms.strideHeight != 0 || down / uniforms.strideHeight >= uniforms.outHeight) { continue; }
        for (var j = 0; j < uniforms.kernelWidth; j++) {
          let right = column - j;
          if (right < 0 || right % uniforms.strideWidth != 0 || right / uniforms.strideWidth >= uniforms.outWidth) { continue; }
          let outRow = image * uniforms.outHeight + down / uniforms.strideHeight;
          let pixel = outRow * uniforms.outWidth + right / uniforms.strideWidth;
          let tap = ((i * uniforms.kernelWidth + j) * uniforms.inputs + own) * uniforms.outChannels + first;
          for (var q = 0; q < uniforms.outputs; q++) {
            total += dy[pixel * uniforms.outChannels + first + q] * filterValues[tap + q];
          }
        }
      }
      result[index] = total;`,
  });
}

/** Partial sums over pieces of the output rows, then their sum. */
function filterGradient(
  backend: WebGpuBackend,
  x: Tensor4D,
  dy: Tensor4D,
  groups: Groups,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
): Tensor4D {
  const { integers, outRows } = measures(x.shape, filterShape, groups, geometry);
  const length = Math.ceil(outRows / mostPieces);
  const parts = Math.ceil(outRows / length);
  const partial = runElementwise<Tensor>(backend, {
    key: 'groupedConv2dFilterGradient',
    inputs: { x, dy },
    outputShape: [parts, ...filterShape],
    integers: { ...integers, outRows, pieceLength: length },
    body: `
      let outChannel = index % uniforms.outChannels;
      let own = (index / uniforms.outChannels) % uniforms.inputs;
      let taps = uniforms.kernelHeight * uniforms.kernelWidth;
      let tap = (index / (uniforms.outChannels * uniforms.inputs)) % taps;
      let piece = index / (uniforms.outChannels * uniforms.inputs * taps);
      let i = tap / uniforms.kernelWidth - uniforms.paddingHeight;
      let j = tap % uniforms.kernelWidth - uniforms.paddingWidth;
      let channel = outChannel / uniforms.outputs * uniforms.inputs + own;
      var total = 0.0;
      for (var at = piece * uniforms.pieceLength; at < min((piece + 1) * uniforms.pieceLength, uniforms.outRows); at++) {
        let row = (at % uniforms.outHeight) * uniforms.strideHeight + i;
        if (row < 0 || row >= uniforms.inHeight) { continue; }
        let line = ((at / uniforms.outHeight) * uniforms.inHeight + row) * uniforms.inWidth;
        for (var out = 0; out < uniforms.outWidth; out++) {
          let column = out * uniforms.strideWidth + j;
          if (column < 0 || column >= uniforms.inWidth) { continue; }
          let cotangent = dy[(at * uniforms.outWidth + out) * uniforms.outChannels + outChannel];
          total += x[(line + column) * uniforms.channels + channel] * cotangent;
        }
      }
      result[index] = total;`,
  });
  return sumOfParts<Tensor4D>(backend, partial, parts, filterShape);
}
