import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';

interface ClampCall {
  readonly inputs: { readonly x: tf.TensorInfo };
  readonly attrs: { readonly clipValueMin: number; readonly clipValueMax: number };
}

type Bounds = (attributes: ClampCall['attrs']) => readonly [low: number, high: number];

/**
 * The backend's Relu, Relu6 and ClipByValue, except that NaN propagates; the backend returns a bound for a NaN with its sign
 * bit set, such as x86 computes for ∞ − ∞, clips int32 as if it were float32, and does not clamp bool.
 */
export function clampKernels(kernels: Pick<WasmTrainingKernels, 'clamp'> | undefined): Record<string, StockKernel> {
  const { clamp } = kernels ?? { clamp: composed };
  const bounded = (boundsOf: Bounds): StockKernel => {
    return ({ inputs: { x }, attrs }: ClampCall) => {
      const bounds = boundsOf(attrs);
      return x.dtype === 'float32' ? clamp(x as tf.Tensor, ...bounds) : clampIntegers(x as tf.Tensor, ...bounds);
    };
  };
  return {
    Relu: bounded(() => [0, Number.POSITIVE_INFINITY]),
    Relu6: bounded(() => [0, 6]),
    ClipByValue: bounded(({ clipValueMin, clipValueMax }) => [clipValueMin, clipValueMax]),
  };
}

function composed<T extends tf.Tensor>(x: T, low: number, high: number): T {
  return tf.tidy(() => tf.minimum<T>(tf.maximum(x, low), high));
}

const [smallest, largest] = [-(2 ** 31), 2 ** 31 - 1];

/** Bounds of integers are truncated, as the cpu backend does. */
function clampIntegers(x: tf.Tensor, low: number, high: number): tf.Tensor {
  const bound = (value: number) => tf.scalar(Math.trunc(Math.min(Math.max(value, smallest), largest)), 'int32');
  return tf.tidy(() => tf.cast(tf.minimum(tf.maximum(tf.cast(x, 'int32'), bound(low)), bound(high)), x.dtype));
}
