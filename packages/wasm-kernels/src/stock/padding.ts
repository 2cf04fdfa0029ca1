import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { type Call, fromStock } from './calls.js';

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
 * and with a number they read beyond their input if filter or stride is oblong.
 */
export function paddedKernels(): Record<string, StockKernel> {
  const names = ['Conv2D', 'FusedConv2D', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2D'];
  return fromStock(names, (stock, name) => (call) => {
    const pad = inPixels(call, name.includes('Depthwise'));
    return stock({ ...call, attrs: { ...call.attrs, pad } });
  });
}

function inPixels({ inputs, attrs }: Call, isDepthwise: boolean): Padding {
  const { strides, dilations, pad, dimRoundingMode } = attrs as unknown as Attributes;
  if (pad !== 'same') return onEachSide(pad);
  const [x, filter] = [inputs.x?.shape, inputs.filter?.shape] as [number, number, number, number][];
  const info = tf.backend_util.computeConv2DInfo(
    x as [number, number, number, number],
    filter as [number, number, number, number],
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    isDepthwise,
  );
  const { top, bottom, left, right } = info.padInfo;
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}
