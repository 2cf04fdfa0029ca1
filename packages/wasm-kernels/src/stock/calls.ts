import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

/** Arguments of a kernel of the backend. */
export interface Call {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: { readonly dataIdMap: { get(id: tf.TensorInfo['dataId']): { dtype: tf.DataType } } };
}

/** The backend's own kernel. */
export type Stock = (call: Call) => tf.TensorInfo;

export function stockKernel(name: string): Stock {
  return tf.getKernel(name, 'wasm').kernelFunc as unknown as Stock;
}

/** One kernel per name, created from the backend's own. */
export function fromStock(
  names: readonly string[],
  create: (stock: Stock, name: string) => (call: Call) => tf.TensorInfo,
): Record<string, StockKernel> {
  return Object.fromEntries(names.map((name) => [name, create(stockKernel(name), name) as StockKernel]));
}

/** Wraps an input, which the caller owns. */
export function borrowed<T extends tf.Tensor>(info: tf.TensorInfo | undefined): T {
  return info as unknown as T;
}
