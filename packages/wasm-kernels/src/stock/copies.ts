import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';
import { fromStock } from './calls.js';

type Copies = Pick<WasmTrainingKernels, 'concat' | 'slice'>;

/**
 * Concat, Pack, Slice, SplitV and Unpack of numbers of four bytes by copies within the heap; the backend's own copy each input out of it and
 * join or cut them there.
 */
export function copyKernels(kernels: Copies | undefined): Record<string, StockKernel> {
  if (kernels === undefined) return {};
  return {
    ...replaced('Concat', ({ axis }: { axis: number }, inputs) => joined(kernels, inputs, axis)),
    ...replaced('Pack', ({ axis }: { axis: number }, inputs) => {
      const place = placeOf(axis, inputs[0].shape.length + 1);
      const expanded = inputs.map((x) => shaped(x, [...x.shape.slice(0, place), 1, ...x.shape.slice(place)]));
      return joined(kernels, expanded, place);
    }),
    ...replaced('Slice', ({ begin, size }: { begin: number | number[]; size: number | number[] }, [x]) => {
      const [from, lengths] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
      tf.slice_util.assertParamsValid(x, from, lengths);
      return hasNoElements(lengths) ? undefined : kernels.slice(x, from, lengths);
    }),
    ...replaced('SplitV', ({ numOrSizeSplits, axis }: SplitAttributes, [x]) => {
      const place = placeOf(axis, x.shape.length);
      return parts(kernels, x, place, tf.backend_util.prepareSplitSize(x, numOrSizeSplits, place));
    }),
    ...replaced('Unpack', ({ axis }: { axis: number }, [x]) => {
      const place = placeOf(axis, x.shape.length);
      return parts(kernels, x, place, new Array(x.shape[place] ?? 0).fill(1), x.shape.toSpliced(place, 1));
    }),
  };
}

interface SplitAttributes {
  readonly numOrSizeSplits: number | number[];
  readonly axis: number;
}

/** Uses the backend's own kernel for inputs of other dtypes, and where `compute` returns undefined. */
function replaced<Attributes>(
  name: string,
  compute: (
    attributes: Attributes,
    inputs: readonly [tf.Tensor, ...tf.Tensor[]],
  ) => tf.TensorInfo | tf.TensorInfo[] | undefined,
): Record<string, StockKernel> {
  return fromStock([name], (stock) => (call) => {
    const inputs = Object.values(call.inputs) as unknown as [tf.Tensor, ...tf.Tensor[]];
    const result = inputs.every(hasNumbers) ? compute(call.attrs as Attributes, inputs) : undefined;
    return (result ?? stock(call)) as tf.TensorInfo;
  });
}

/** Undefined without elements. */
function joined(kernels: Copies, tensors: readonly tf.Tensor[], axis: number): tf.TensorInfo | undefined {
  const [first] = tensors;
  if (first === undefined) return undefined;
  const place = placeOf(axis, first.shape.length);
  tf.backend_util.assertParamsConsistent(
    tensors.map(({ shape }) => shape),
    place,
  );
  const filled = tensors.filter(({ shape }) => !hasNoElements(shape));
  return filled.length > 0 && filled.every(({ dtype }) => dtype === first.dtype)
    ? kernels.concat(filled, place)
    : undefined;
}

/** @param shape of each part; default: that of the cut */
function parts(
  { slice }: Copies,
  x: tf.Tensor,
  axis: number,
  lengths: readonly number[],
  shape?: readonly number[],
): tf.Tensor[] | undefined {
  if (lengths.length === 0 || lengths.includes(0) || hasNoElements(x.shape)) return undefined;
  let start = 0;
  return lengths.map((length) => {
    const begin = x.shape.map((_, place) => (place === axis ? start : 0));
    start += length;
    return slice(x, begin, x.shape.with(axis, length), shape);
  });
}

function hasNumbers({ dtype }: tf.TensorInfo): boolean {
  return dtype === 'float32' || dtype === 'int32';
}

function hasNoElements(shape: readonly number[]): boolean {
  return tf.util.sizeFromShape([...shape]) === 0;
}

function placeOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The same numbers in another shape, borrowed. */
function shaped(x: tf.Tensor, shape: number[]): tf.Tensor {
  return { dataId: x.dataId, dtype: x.dtype, shape } as unknown as tf.Tensor;
}
