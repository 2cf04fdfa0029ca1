import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, type Call, fromStock, type Stock } from './calls.js';

/** What is not a number, or has a fraction, is truncated as by the cpu backend: x / 0 and x mod 0 are 0. */
const functions: Readonly<Record<string, (a: number, b: number) => number>> = {
  FloorDiv: (a, b) => Math.floor(a / b),
  Mod: (a, b) => ((a % b) + b) % b,
  Pow: (a, b) => a ** b,
};

/**
 * Quotients, remainders and powers of integers: the backend's own divide as float32, return the least integer for a division by zero
 * or a negative power, and trap on a remainder by zero, after which the backend is unusable.
 */
export function integerKernels(): Record<string, StockKernel> {
  return fromStock(Object.keys(functions), (stock, name) => (call) => onHost(stock, name, call));
}

function onHost(stock: Stock, name: string, call: Call): tf.TensorInfo {
  const { a, b } = call.inputs as Readonly<Record<'a' | 'b', tf.TensorInfo>>;
  if (a.dtype === 'float32' || b.dtype === 'float32') return stock(call);
  const dtype = name === 'FloorDiv' ? 'int32' : (a.dtype as tf.NumericDataType);
  const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const size = tf.util.sizeFromShape(shape);
  if (size === 0) return tf.zeros(shape, dtype);
  const compute = functions[name] as (a: number, b: number) => number;
  return tf.tidy(() => {
    const [first, second] = [a, b].map((operand) => tf.broadcastTo(borrowed(operand), shape).dataSync());
    const result = dtype === 'bool' ? new Uint8Array(size) : new Int32Array(size);
    for (let at = 0; at < size; at++) result[at] = compute(first?.[at] as number, second?.[at] as number);
    return tf.tensor(result, shape, dtype);
  });
}
