import { at } from '@localgrad/core';
import type { AdamUpdate, AdamUpdateRequest, BlendRequest, SgdUpdate, SgdUpdateRequest } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

/** Elements of one row of the table: a larger tensor has several rows. */
const ROW_ELEMENTS = 16_384;
/** 32-bit numbers of a row; the layout is that of assembly/updates.ts. */
const ROW_LENGTH = 16;
const PIECES = 16;

interface Update {
  /** Byte offsets of arrays of `size` elements; 0: none. At most seven. */
  readonly pointers: readonly number[];
  readonly numbers: readonly number[];
  readonly size: number;
}

/** Runs one kernel over all tensors, in one call of the pool. Pieces do not depend on the number of threads. */
function runAll(context: KernelContext, kernel: string, updates: readonly Update[]): void {
  const rows = updates.flatMap(({ pointers, numbers, size }) => {
    const parts = pieces(size, Math.max(1, Math.ceil(size / ROW_ELEMENTS)), 64);
    return Array.from({ length: parts.count }, (_, piece) => {
      const [start, end] = parts.bounds(piece);
      return {
        pointers: pointers.map((pointer) => (pointer === 0 ? 0 : pointer + 4 * start)),
        numbers,
        size: end - start,
      };
    });
  });
  const total = updates.reduce((sum, { size }) => sum + size, 0);
  const shares = shareOut(rows, total < MINIMUM_FOR_THREADS ? 1 : PIECES, total);
  context.scratch(4 * ROW_LENGTH * rows.length, (table) => {
    const integers = context.integers(table, ROW_LENGTH * rows.length);
    const floats = context.floats(table, ROW_LENGTH * rows.length);
    rows.forEach(({ pointers, numbers, size }, index) => {
      const row = ROW_LENGTH * index;
      integers.set(pointers.slice(0, 6), row);
      integers[row + 6] = size;
      floats.set(numbers, row + 7);
      integers[row + ROW_LENGTH - 1] = pointers[6] ?? 0;
    });
    context.pool.run(kernel, shares.length, (piece) => [table, shares[piece - 1] ?? 0, shares[piece] ?? 0]);
  });
}

/** Ends of at most `most` runs of rows with about as many elements each. */
function shareOut(rows: readonly { readonly size: number }[], most: number, total: number): number[] {
  const ends: number[] = [];
  let elements = 0;
  rows.forEach(({ size }, index) => {
    elements += size;
    const isLast = index === rows.length - 1;
    if (isLast || elements >= (total * (ends.length + 1)) / most) ends.push(index + 1);
  });
  return ends;
}

/** Buffers that an update may write its results to: consumed ones that no other handle shares. */
class Consumed {
  readonly #free: Tensor[];

  constructor(
    readonly context: KernelContext,
    readonly tensors: readonly (Tensor | undefined)[],
  ) {
    const { heap } = context;
    this.#free = tensors.filter((tensor): tensor is Tensor => tensor !== undefined && !heap.shares(tensor));
  }

  /** A buffer for a result: a consumed one, else a new one. */
  take({ shape }: Tensor): Tensor {
    return this.#free.shift() ?? this.context.heap.allocate(shape);
  }

  /** Disposes what has not become a result. */
  end(results: readonly Tensor[]): void {
    for (const tensor of this.tensors) if (tensor !== undefined && !results.includes(tensor)) tensor.dispose();
  }
}

interface Prepared<Result> {
  readonly update: Update;
  readonly result: Result;
  readonly consumed: Consumed;
}

function finish<Result extends object>(
  context: KernelContext,
  kernel: string,
  prepared: readonly Prepared<Result>[],
): Result[] {
  if (prepared.length > 0)
    runAll(
      context,
      kernel,
      prepared.map(({ update }) => update),
    );
  for (const { consumed, result } of prepared) consumed.end(Object.values(result));
  return prepared.map(({ result }) => result);
}

export function sgdUpdateAll(context: KernelContext, requests: readonly SgdUpdateRequest[]): SgdUpdate[] {
  const { heap } = context;
  const pointer = (tensor: Tensor | undefined) => (tensor === undefined ? 0 : heap.pointer(tensor));
  const prepared = requests.map((request): Prepared<SgdUpdate> => {
    const { value, gradient, velocity, learningRate, momentum, nesterov, weightDecay } = request;
    const consumed = new Consumed(context, [velocity, gradient]);
    // In the old velocity's buffer the new one, in the gradient's the new value: nothing is allocated after the first step.
    const nextVelocity = momentum === 0 ? undefined : consumed.take(value);
    const next = consumed.take(value);
    return {
      update: {
        pointers: [value, gradient, momentum === 0 ? undefined : velocity, next, nextVelocity].map(pointer),
        numbers: [learningRate, momentum, weightDecay, nesterov ? 1 : 0],
        size: value.size,
      },
      result: { value: next, velocity: nextVelocity },
      consumed,
    };
  });
  return finish(context, 'sgdAll', prepared);
}

export function adamUpdateAll(context: KernelContext, requests: readonly AdamUpdateRequest[]): AdamUpdate[] {
  const { heap } = context;
  const pointer = (tensor: Tensor | undefined) => (tensor === undefined ? 0 : heap.pointer(tensor));
  const prepared = requests.map((request): Prepared<AdamUpdate> => {
    const { value, gradient, moments, update, learningRate, epsilon, weightDecay, decoupled } = request;
    const [beta1, beta2] = request.betas;
    const consumed = new Consumed(context, [moments?.first, moments?.second, gradient]);
    const [first, second, next] = [consumed.take(value), consumed.take(value), consumed.take(value)];
    return {
      update: {
        pointers: [value, gradient, moments?.first, next, first, second, moments?.second].map(pointer),
        numbers: [
          learningRate / (1 - beta1 ** update),
          1 - beta1,
          beta2,
          1 - beta2,
          1 / Math.sqrt(1 - beta2 ** update),
          epsilon,
          decoupled ? 0 : weightDecay,
          decoupled ? 1 - learningRate * weightDecay : 1,
        ],
        size: value.size,
      },
      result: { value: next, first, second },
      consumed,
    };
  });
  return finish(context, 'adamAll', prepared);
}

export function blendAll(context: KernelContext, requests: readonly BlendRequest[]): Tensor[] {
  const { heap } = context;
  const results = requests.map(({ average }) => heap.allocate(average.shape));
  const updates = requests.map(({ average, value, kept, added }, index): Update => {
    const pointers = [average, value].map((tensor) => heap.pointer(tensor));
    return {
      pointers: [...pointers, heap.pointer(at(results, index, 'result'))],
      numbers: [kept, added],
      size: average.size,
    };
  });
  if (updates.length > 0) runAll(context, 'blendAll', updates);
  return results;
}
