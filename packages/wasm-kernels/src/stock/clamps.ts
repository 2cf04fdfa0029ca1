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
 * bit set, such as x86 computes for ∞ − ∞.
 */
export function clampKernels(kernels: Pick<WasmTrainingKernels, 'clamp'> | undefined): Record<string, StockKernel> {
  const { clamp } = kernels ?? { clamp: composed };
  const bounded = (name: string, boundsOf: Bounds): StockKernel => {
    const stock = tf.getKernel(name, 'wasm').kernelFunc;
    return (call: ClampCall) => {
      const { x } = call.inputs;
      if (x.dtype !== 'float32') return stock(call as never) as tf.TensorInfo;
      return clamp(x as tf.Tensor, ...boundsOf(call.attrs));
    };
  };
  return {
    Relu: bounded('Relu', () => [0, Number.POSITIVE_INFINITY]),
    Relu6: bounded('Relu6', () => [0, 6]),
    ClipByValue: bounded('ClipByValue', ({ clipValueMin, clipValueMax }) => [clipValueMin, clipValueMax]),
  };
}

function composed<T extends tf.Tensor>(x: T, low: number, high: number): T {
  return tf.tidy(() => tf.minimum<T>(tf.maximum(x, low), high));
}
