import type * as tf from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

/** Bytes of an element: float32 or int32. */
const BYTES = 4;
const PIECES = 16;

/** Rows by their addresses, with the bytes of a row and between the starts of two rows. */
interface Rows {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly bytes: number;
  readonly fromStep: number;
  readonly toStep: number;
}

/** Joins tensors of float32 or int32, which have the same shape but for the length of `axis`. At least one is given. */
export function concat<T extends tf.Tensor>(context: KernelContext, tensors: readonly T[], axis: number): T {
  const { heap } = context;
  const [first] = tensors as readonly [T, ...T[]];
  const lengths = tensors.map(({ shape }) => shape[axis] ?? 0);
  const shape = first.shape.with(axis, sumOf(lengths));
  const result = heap.allocate<T>(shape, first.dtype as 'float32' | 'int32');
  const count = productOf(shape.slice(0, axis));
  const toStep = BYTES * productOf(shape.slice(axis));
  let at = heap.pointer(result);
  for (const tensor of tensors) {
    const bytes = BYTES * productOf(tensor.shape.slice(axis));
    copyRows(context, { from: heap.pointer(tensor), to: at, count, bytes, fromStep: bytes, toStep });
    at += bytes;
  }
  return result;
}

/**
 * The part of a tensor of float32 or int32 with `size[i]` indices from `begin[i]` on along each axis.
 *
 * @param shape of the result, of as many elements as `size`; default: `size`
 */
export function slice<T extends tf.Tensor>(
  context: KernelContext,
  x: tf.Tensor,
  begin: readonly number[],
  size: readonly number[],
  shape: readonly number[] = size,
): T {
  const { heap } = context;
  const result = heap.allocate<T>(shape, x.dtype as 'float32' | 'int32');
  const steps = size.map((_, axis) => BYTES * productOf(x.shape.slice(axis + 1)));
  const isWhole = (axis: number) => size[axis] === x.shape[axis];
  // Elements lie one behind the other from the last axis on that is not whole; above it, rows are equally far apart up to the next such one.
  let inner = size.length - 1;
  while (inner > 0 && isWhole(inner)) inner--;
  let outer = Math.max(0, inner - 1);
  while (outer > 0 && isWhole(outer)) outer--;
  const bytes = BYTES * productOf(size.slice(inner));
  const count = productOf(size.slice(outer, inner));
  const fromStep = BYTES * productOf(x.shape.slice(inner));
  const start = heap.pointer(x) + sumOf(begin.map((index, axis) => index * (steps[axis] ?? 0)));
  const to = heap.pointer(result);
  offsetsOf(size.slice(0, outer), steps).forEach((offset, index) => {
    copyRows(context, { from: start + offset, to: to + index * count * bytes, count, bytes, fromStep, toStep: bytes });
  });
  return result;
}

function copyRows({ pool }: KernelContext, { from, to, count, bytes, fromStep, toStep }: Rows): void {
  const parts = pieces(count, count * bytes < BYTES * MINIMUM_FOR_THREADS ? 1 : PIECES);
  pool.runEvenly('copyRows', parts, [from, to], [bytes, fromStep, toStep]);
}

/** Offsets of all combinations of indices, in row-major order. */
function offsetsOf(lengths: readonly number[], steps: readonly number[]): number[] {
  return lengths.reduce<number[]>(
    (offsets, length, axis) =>
      offsets.flatMap((offset) => Array.from({ length }, (_, index) => offset + index * (steps[axis] ?? 0))),
    [0],
  );
}

function productOf(values: readonly number[]): number {
  return values.reduce((product, value) => product * value, 1);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
