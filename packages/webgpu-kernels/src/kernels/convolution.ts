import { type ConvolutionGeometry, convolutionMeasures, type Normalization } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { rectified } from '../missing.js';
import type { WebGpuBackend } from '../program.js';
import { type TiledProduct, tiledProduct } from './matrix-product.js';

type Shape4 = readonly [number, number, number, number];

/** WGSL: the start of an output pixel's window in the image, and one position of the filter. */
const coordinates = `
  fn windowOf(pixel : i32) -> vec4<i32> {
    let perImage = uniforms.outHeight * uniforms.outWidth;
    let image = pixel / perImage;
    let rest = pixel % perImage;
    return vec4<i32>(
      image * uniforms.inHeight * uniforms.inWidth * uniforms.inChannels,
      (rest / uniforms.outWidth) * uniforms.strideHeight - uniforms.paddingHeight,
      (rest % uniforms.outWidth) * uniforms.strideWidth - uniforms.paddingWidth,
      0);
  }
  fn placeOf(k : i32, channels : i32) -> vec4<i32> {
    let tap = k / channels;
    return vec4<i32>(tap / uniforms.kernelWidth, tap % uniforms.kernelWidth, k % channels, 0);
  }
  fn pixelAt(window : vec4<i32>, place : vec4<i32>) -> i32 {
    let row = window.y + place.x;
    let column = window.z + place.y;
    if (row < 0 || row >= uniforms.inHeight || column < 0 || column >= uniforms.inWidth) { return -1; }
    return window.x + (row * uniforms.inWidth + column) * uniforms.inChannels + place.z;
  }`;

const readPixel = `
  fn pixelValue(at : i32) -> f32 {
    if (at < 0) { return 0.0; }
    return x[at];
  }`;

/** As `batchNormApply` computes it. */
const readActivated = `${rectified}
  fn pixelValue(at : i32) -> f32 {
    if (at < 0) { return 0.0; }
    let channel = at % uniforms.inChannels;
    let factor = scale[channel] * inverseSqrt(variance[channel] + uniforms.epsilon);
    return rectified((x[at] - mean[channel]) * factor + shift[channel]);
  }`;

function vectorsOf({ mean, variance, scale, shift }: Normalization) {
  return { mean, variance, scale, shift };
}

function measures(input: Shape4, filter: Shape4, geometry: ConvolutionGeometry) {
  const [batch, inHeight, inWidth, inChannels] = input;
  const [kernelHeight, kernelWidth, , outChannels] = filter;
  const found = convolutionMeasures(input, filter, geometry);
  const { outHeight, outWidth } = found;
  return {
    integers: { inHeight, inWidth, inChannels, outChannels, kernelHeight, kernelWidth, ...found },
    outputShape: [batch, outHeight, outWidth, outChannels] as const,
    pixels: batch * outHeight * outWidth,
    taps: kernelHeight * kernelWidth,
  };
}

export function conv2d(backend: WebGpuBackend, x: Tensor4D, filter: Tensor4D, geometry: ConvolutionGeometry): Tensor4D {
  return tiledProduct(backend, convolutionProduct(x, filter, geometry));
}

/** The convolution as a product of matrices. */
export function convolutionProduct(x: Tensor4D, filter: Tensor4D, geometry: ConvolutionGeometry): TiledProduct {
  const { integers, outputShape, pixels, taps } = measures(x.shape, filter.shape, geometry);
  return {
    key: 'conv2d',
    inputs: { x, filterValues: filter },
    outputShape,
    rows: pixels,
    columns: integers.outChannels,
    depth: taps * integers.inChannels,
    integers,
    contiguousA: 'depth',
    contiguousB: 'column',
    splits: false,
    access: `${coordinates}${readPixel}
      fn rowOf(row : i32) -> vec4<i32> { return windowOf(row); }
      fn depthOf(k : i32) -> vec4<i32> { return placeOf(k, uniforms.inChannels); }
      fn readA(row : vec4<i32>, k : vec4<i32>) -> f32 { return pixelValue(pixelAt(row, k)); }
      fn readB(k : i32, column : i32) -> f32 { return filterValues[k * uniforms.outChannels + column]; }`,
  };
}

/** @param activation batch norm and ReLU that x goes through first, computed where x is read */
export function conv2dFilterGradient(
  backend: WebGpuBackend,
  x: Tensor4D,
  dy: Tensor4D,
  filterShape: Shape4,
  geometry: ConvolutionGeometry,
  activation?: Normalization,
): Tensor4D {
  const { integers, pixels, taps } = measures(x.shape, filterShape, geometry);
  return tiledProduct(backend, {
    key: `conv2dFilterGradient${activation === undefined ? '' : ' activated'}`,
    inputs: activation === undefined ? { x, dy } : { x, dy, ...vectorsOf(activation) },
    outputShape: filterShape,
    rows: taps * integers.inChannels,
    columns: integers.outChannels,
    depth: pixels,
    integers,
    ...(activation === undefined ? {} : { numbers: { epsilon: activation.epsilon } }),
    contiguousA: 'row',
    contiguousB: 'column',
    splits: true,
    access: `${coordinates}${activation === undefined ? readPixel : readActivated}
      fn rowOf(row : i32) -> vec4<i32> { return placeOf(row, uniforms.inChannels); }
      fn depthOf(k : i32) -> vec4<i32> { return windowOf(k); }
      fn readA(row : vec4<i32>, k : vec4<i32>) -> f32 { return pixelValue(pixelAt(k, row)); }
      fn readB(k : i32, column : i32) -> f32 { return dy[k * uniforms.outChannels + column]; }`,
  });
}

export function conv2dInputGradient(
  backend: WebGpuBackend,
  dy: Tensor4D,
  filter: Tensor4D,
  inputShape: Shape4,
  geometry: ConvolutionGeometry,
  added?: Tensor4D,
): Tensor4D {
  const { integers, taps } = measures(inputShape, filter.shape, geometry);
  const [batch, height, width, channels] = inputShape;
  return tiledProduct(backend, {
    key: `conv2dInputGradient${added === undefined ? '' : ' added'}`,
    inputs: { dy, filterValues: filter, ...(added === undefined ? {} : { added }) },
    outputShape: inputShape,
    rows: batch * height * width,
    columns: channels,
    depth: taps * integers.outChannels,
    integers,
    contiguousA: 'depth',
    contiguousB: 'depth',
    splits: false,
    access: `
      fn rowOf(row : i32) -> vec4<i32> {
        let perImage = uniforms.inHeight * uniforms.inWidth;
        let rest = row % perImage;
        return vec4<i32>(
          (row / perImage) * uniforms.outHeight * uniforms.outWidth * uniforms.outChannels,
          rest / uniforms.inWidth + uniforms.paddingHeight,
          rest % uniforms.inWidth + uniforms.paddingWidth,
          0);
      }
      fn depthOf(k : i32) -> vec4<i32> {
        let tap = k / uniforms.outChannels;
        return vec4<i32>(tap / uniforms.kernelWidth, tap % uniforms.kernelWidth, k % uniforms.outChannels, 0);
      }
      fn readA(row : vec4<i32>, k : vec4<i32>) -> f32 {
        let down = row.y - k.x;
        let right = row.z - k.y;
        if (down < 0 || right < 0 || down % uniforms.strideHeight != 0 || right % uniforms.strideWidth != 0) { return 0.0; }
        let outRow = down / uniforms.strideHeight;
        let outColumn = right / uniforms.strideWidth;
        if (outRow >= uniforms.outHeight || outColumn >= uniforms.outWidth) { return 0.0; }
        return dy[row.x + (outRow * uniforms.outWidth + outColumn) * uniforms.outChannels + k.z];
      }
      fn readB(k : i32, column : i32) -> f32 {
        let tap = k / uniforms.outChannels;
        return filterValues[(tap * uniforms.inChannels + column) * uniforms.outChannels + k % uniforms.outChannels];
      }`,
    ...(added === undefined ? {} : { finish: (value: string, at: string) => `${value} + added[${at}]` }),
  });
}
