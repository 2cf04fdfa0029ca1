import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

interface ExtremumCall {
  readonly inputs: Readonly<Record<'a' | 'b', tf.TensorInfo>>;
  readonly backend: { typedArrayFromHeap(info: tf.TensorInfo): ArrayLike<number> };
}

/** The backend's Maximum and Minimum, except that NaN in the second argument propagates; the backend ignores it. */
export function extremaKernels(): Record<string, StockKernel> {
  const names = ['Maximum', 'Minimum'];
  return Object.fromEntries(names.map((name) => [name, propagating(tf.getKernel(name, 'wasm').kernelFunc)]));
}

function propagating(stock: tf.KernelFunc): StockKernel {
  return (call: ExtremumCall) => {
    const extremum = stock(call as never) as tf.TensorInfo;
    const { b } = call.inputs;
    if (b.dtype !== 'float32' || !containsNaN(call.backend.typedArrayFromHeap(b))) return extremum;
    return tf.tidy(() => {
      const second = b as tf.Tensor;
      return tf.where(tf.isNaN(second), second, tf.engine().makeTensorFromTensorInfo(extremum));
    });
  };
}

function containsNaN(values: ArrayLike<number>): boolean {
  for (let index = 0; index < values.length; index++) {
    if (Number.isNaN(values[index])) return true;
  }
  return false;
}
