import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

export type Shape4 = [number, number, number, number];

/** Attributes of a convolution or of pooling; those of one kernel only are optional. */
export interface WindowAttributes {
  readonly strides: number | [number, number];
  readonly pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number] | null;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export interface StockCall<Inputs extends string, Attributes> {
  readonly inputs: Readonly<Record<Inputs, tf.Tensor4D>>;
  readonly attrs: WindowAttributes & Attributes;
}

/** The backend's own kernel, without the backend among its arguments. */
export type Stock<Call> = (call: Call) => tf.Tensor4D;

/** Kernels for calls with a padding in pixels, created from the backend's own, which remain for padding with a name. */
export function forPixels<Call extends StockCall<string, unknown>>(
  names: readonly string[],
  create: (stock: Stock<Call>) => Stock<Call>,
): Record<string, StockKernel> {
  return fromStock<Call>(names, (stock) => {
    const own = create(stock);
    return (call) => (typeof call.attrs.pad === 'string' ? stock(call) : own(call));
  });
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
