import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import {
  byPadding,
  type ConvolutionAttributes,
  fromStock,
  type Shape4,
  type Stock,
  type StockCall,
} from './stock-calls.js';

type ForwardCall = StockCall<'x' | 'filter', unknown>;
type InputGradientCall = StockCall<'dy' | 'filter', { readonly inputShape: Shape4 }>;
type FilterGradientCall = StockCall<'x' | 'dy', { readonly filterShape: Shape4 }>;

/**
 * Convolutions of TensorFlow.js and their gradients: the images are padded first where the padding is given in pixels, which the native
 * backend rejects. The filter gradient of a 1×1 convolution gets the pixels under the strides only: oneDNN's is wrong with strides and
 * fewer than 8 channels (TensorFlow 2.15).
 */
export function stockConvolutions(): Record<string, StockKernel> {
  return {
    ...fromStock(['Conv2D', 'FusedConv2D', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2D'], ofFramedImages),
    ...fromStock(['Conv2DBackpropInput', 'DepthwiseConv2dNativeBackpropInput'], insideFramedGradient),
    ...fromStock(['DepthwiseConv2dNativeBackpropFilter'], fromFramedImages),
    ...fromStock(['Conv2DBackpropFilter'], (stock: Stock<FilterGradientCall>) => fromFramedImages(fromPoints(stock))),
  };
}

const ofFramedImages = (stock: Stock<ForwardCall>) =>
  byPadding(stock, ({ inputs, attrs }) => {
    const margins = marginsOf(inputs.x.shape, inputs.filter.shape, attrs);
    return stock({ inputs: { ...inputs, x: tf.pad(inputs.x, margins) }, attrs: { ...attrs, pad: 'valid' } });
  });

const fromFramedImages = (stock: Stock<FilterGradientCall>) =>
  byPadding(stock, ({ inputs, attrs }) => {
    const margins = marginsOf(inputs.x.shape, attrs.filterShape, attrs);
    return stock({ inputs: { ...inputs, x: tf.pad(inputs.x, margins) }, attrs: { ...attrs, pad: 'valid' } });
  });

const insideFramedGradient = (stock: Stock<InputGradientCall>) =>
  byPadding(stock, ({ inputs, attrs }) => {
    const { inputShape } = attrs;
    const margins = marginsOf(inputShape, inputs.filter.shape, attrs);
    const framedShape = inputShape.map((size, axis) => size + (margins[axis]?.[0] ?? 0) + (margins[axis]?.[1] ?? 0));
    const framed = stock({ inputs, attrs: { ...attrs, pad: 'valid', inputShape: framedShape as Shape4 } });
    const starts = margins.map(([before]) => before);
    return tf.slice(framed, starts, inputShape);
  });

/** For images whose padding has a name, which adds nothing to windows of one pixel. */
const fromPoints =
  (stock: Stock<FilterGradientCall>): Stock<FilterGradientCall> =>
  (call) => {
    const { inputs, attrs } = call;
    const [height, width] = attrs.filterShape;
    const [down, right] = typeof attrs.strides === 'number' ? [attrs.strides, attrs.strides] : attrs.strides;
    if (height !== 1 || width !== 1 || (down === 1 && right === 1)) return stock(call);
    const steps = attrs.dataFormat === 'NCHW' ? [1, 1, down, right] : [1, down, right, 1];
    const x = tf.stridedSlice(inputs.x, [0, 0, 0, 0], inputs.x.shape, steps) as tf.Tensor4D;
    return stock({ inputs: { ...inputs, x }, attrs: { ...attrs, strides: 1 } });
  };

/** Number of cells before and after. */
type Margin = [number, number];

/** Cells before and after the images along each axis; with them, windows that lie inside the map give the whole output. */
function marginsOf(shape: Shape4, filterShape: Shape4, attrs: ConvolutionAttributes): Margin[] {
  const { strides, pad, dataFormat = 'NHWC', dimRoundingMode } = attrs;
  const format = tf.backend_util.convertConv2DDataFormat(dataFormat);
  const info = tf.backend_util.computeConv2DInfo(
    shape,
    filterShape,
    strides,
    attrs.dilations ?? 1,
    pad,
    dimRoundingMode,
    false,
    format,
  );
  const { top, left } = info.padInfo;
  const after = (outSize: number, step: number, extent: number, size: number, before: number) =>
    Math.max(0, (outSize - 1) * step + extent - size - before);
  const bottom = after(info.outHeight, info.strideHeight, info.effectiveFilterHeight, info.inHeight, top);
  const right = after(info.outWidth, info.strideWidth, info.effectiveFilterWidth, info.inWidth, left);
  const rows: Margin = [top, bottom];
  const columns: Margin = [left, right];
  const none: Margin = [0, 0];
  return format === 'channelsFirst' ? [none, none, rows, columns] : [none, rows, columns, none];
}
