import { owned, type StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { isKnownActivation, withBiasAndActivation } from './activations.js';
import { borrowed, type Call, fromStock, type Stock } from './calls.js';
import { requireWindows } from './geometry.js';

type Info = tf.backend_util.Conv2DInfo;
type Pair = number | [number, number];
export type Padding = 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;

interface Attributes {
  readonly strides: Pair;
  /** Null from layers. */
  readonly dilations?: Pair | null;
  readonly pad: Padding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** TensorFlow.js sizes the output of a numeric padding as if window and stride were square. */
export function onEachSide(pad: Padding): Padding {
  if (typeof pad !== 'number') return pad;
  return [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
}

/**
 * The backend's convolutions, with their padding in pixels: with `same`, the backend's own are wrong for oblong filters with a stride,
 * and with a number they read beyond their input if filter or stride is oblong. Where no window fits, they trap, after which the backend
 * is unusable.
 */
export function paddedKernels(): Record<string, StockKernel> {
  const names = ['Conv2D', 'FusedConv2D', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2D'];
  return fromStock(names, (stock, name) => (call) => {
    const info = measure(call, name.includes('Depthwise'));
    requireWindows('The convolution', info);
    if (tf.util.sizeFromShape(info.outShape) === 0) return tf.zeros(info.outShape);
    const { top, bottom, left, right } = info.padInfo;
    const pad: Padding = [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ];
    const padded = { ...call, attrs: { ...call.attrs, pad } };
    const convolve = isScaling(info) ? scale : stock;
    const isFused = name.startsWith('Fused') && isKnownActivation(call);
    return isFused ? fused(convolve, padded, info.outChannels) : convolve(padded);
  });
}

/** Whether each output is one number times one input: the backend's own turn NaN into −∞ there. */
function isScaling({ filterShape, inChannels, outChannels, strideHeight, strideWidth, padInfo }: Info): boolean {
  const [height, width, depth, multiplier] = filterShape;
  const isOneToOne = height * width * multiplier === 1 && (depth === 1 || inChannels === outChannels);
  const { top, bottom, left, right } = padInfo;
  return isOneToOne && strideHeight * strideWidth === 1 && top + bottom + left + right === 0;
}

function scale({ inputs }: Call): tf.TensorInfo {
  const { x, filter, bias } = inputs as Readonly<Record<'x' | 'filter' | 'bias', tf.TensorInfo>>;
  return tf.tidy(() => {
    const scaled = tf.mul(borrowed(x), tf.reshape(borrowed(filter), [x.shape[3] as number]));
    return bias === undefined ? scaled : tf.add(scaled, borrowed(bias));
  });
}

/** Adds a bias of one number per channel in the backend's kernel, and computes the rest after it. */
function fused(stock: Stock, call: Call, channels: number): tf.TensorInfo {
  const { x, filter, bias } = call.inputs as Readonly<Record<'x' | 'filter' | 'bias', tf.TensorInfo>>;
  const isInKernel = bias != null && tf.util.arraysEqual(bias.shape, [channels]);
  const inputs = isInKernel ? { x, filter, bias } : { x, filter };
  return tf.tidy(() => {
    const convolved = owned(stock({ ...call, inputs, attrs: { ...call.attrs, activation: 'linear' } }));
    return withBiasAndActivation(call, convolved, isInKernel ? undefined : bias);
  });
}

function measure({ inputs, attrs }: Call, isDepthwise: boolean): Info {
  const { strides, dilations, pad, dimRoundingMode } = attrs as unknown as Attributes;
  const [x, filter] = [inputs.x?.shape, inputs.filter?.shape] as [number, number, number, number][];
  return tf.backend_util.computeConv2DInfo(
    x as [number, number, number, number],
    filter as [number, number, number, number],
    strides,
    dilations ?? 1,
    onEachSide(pad) as never,
    dimRoundingMode,
    isDepthwise,
  );
}
