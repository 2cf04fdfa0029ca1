import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, fromStock } from './calls.js';

/** `cumsum` and `cumprod`: the backend's own never end for a scalar, and read beyond their input on a negative axis. */
export function scanKernels(): Record<string, StockKernel> {
  return fromStock(['Cumsum', 'Cumprod'], (stock, name) => (call) => {
    const { x } = call.inputs as Readonly<Record<'x', tf.TensorInfo>>;
    const { axis, exclusive } = call.attrs as Readonly<{ axis: number; exclusive: boolean }>;
    if (x.shape.length === 0 && x.dtype !== 'bool') {
      const start = name === 'Cumsum' ? 0 : 1;
      return exclusive ? tf.scalar(start, x.dtype as tf.NumericDataType) : tf.clone(borrowed(x));
    }
    const [positive] = tf.util.parseAxisParam(axis, x.shape);
    return stock({ ...call, attrs: { ...call.attrs, axis: positive } });
  });
}
