import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

export type Shape4 = [number, number, number, number];

/** Attributes of a convolution; some kernels lack those that are optional. */
export interface ConvolutionAttributes {
  readonly strides: number | [number, number];
  readonly pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number] | null;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export interface StockCall<Inputs extends string, Attributes> {
  readonly inputs: Readonly<Record<Inputs, tf.Tensor4D>>;
  readonly attrs: ConvolutionAttributes & Attributes;
}

/** The backend's own kernel, without the backend among its arguments. */
export type Stock<Call> = (call: Call) => tf.Tensor4D;

/** A kernel for padding with a name, and another one for padding in pixels. */
export function byPadding<Call extends StockCall<string, unknown>>(
  named: Stock<Call>,
  inPixels: Stock<Call>,
): Stock<Call> {
  return (call) => (typeof call.attrs.pad === 'string' ? named(call) : inPixels(call));
}

/** One kernel per name, created from the backend's own. */
export function fromStock<Call extends object>(
  names: readonly string[],
  create: (stock: Stock<Call>) => Stock<Call>,
): Record<string, StockKernel> {
  return Object.fromEntries(
    names.map((name) => {
      const { kernelFunc } = tf.getKernel(name, 'tensorflow');
      const own = create((call) => kernelFunc({ ...call, backend: tf.backend() } as never) as tf.Tensor4D);
      return [name, (call: Call) => tf.tidy(() => own(call))];
    }),
  );
}
