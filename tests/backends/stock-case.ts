import type * as tf from '@tensorflow/tfjs';

export type Shape = readonly number[];

type Tensors = readonly tf.Tensor[];

/** A stock operation of TensorFlow.js that blocks, heads, losses, optimizers or registered gradients use. */
export interface StockCase {
  readonly operation: string;
  readonly label: string;
  readonly inputs: readonly Shape[];
  /** Inputs that are always finite. */
  readonly finite?: readonly number[];
  readonly run: (inputs: Tensors) => tf.Tensor;
  /** What each element must be, from the elements of the inputs at its place; else the cpu backend's result. */
  readonly element?: (...values: number[]) => number;
}

export const row = (
  operation: string,
  label: string,
  inputs: readonly Shape[],
  run: (...inputs: tf.Tensor[]) => tf.Tensor,
): StockCase => ({ operation, label, inputs, run: (tensors) => run(...tensors) });
