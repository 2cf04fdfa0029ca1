import { owned, type StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, type Call, fromStock, type Stock } from './calls.js';

/**
 * The backend keeps its padding operators by the value that they pad with; NaN is neither less nor greater than any other value, so that
 * it finds the operator of another value, and its own is found for all values after it.
 */
export function constantPaddingKernels(): Record<string, StockKernel> {
  return fromStock(['PadV2'], (stock) => (call) => {
    return Number.isNaN(call.attrs.constantValue) && call.inputs.x?.dtype === 'float32'
      ? withNaN(stock, call)
      : stock(call);
  });
}

function withNaN(stock: Stock, call: Call): tf.TensorInfo {
  const x = borrowed<tf.Tensor>(call.inputs.x);
  const paddings = call.attrs.paddings as [number, number][];
  const shape = paddings.map(([before, after], axis) => before + (x.shape[axis] ?? 0) + after);
  if (tf.util.sizeFromShape(x.shape) === 0) return tf.fill(shape, Number.NaN);
  return tf.tidy(() => {
    const attrs = { ...call.attrs, constantValue: 0 };
    const padded = (input: tf.Tensor) => owned(stock({ ...call, inputs: { x: input }, attrs }));
    const isInside = tf.greater(padded(tf.onesLike(x)), 0);
    return tf.where(isInside, padded(x), Number.NaN);
  });
}
