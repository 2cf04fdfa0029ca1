import { get, LocalgradError, type Parameter, type ParameterGradient } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { checkParts } from './check-images.js';
import type { Batch, Executor, StepOptions, StepResult } from './step.js';

/** A micro-batch, sliced from the batch when it is used. */
export interface BatchPart {
  /** Number of its samples. */
  readonly samples: number;
  /** Runs `use` on the micro-batch, and disposes the slices afterwards. */
  with<Result>(use: (batch: Batch) => Result): Result;
}

/**
 * Splits a batch into `count` micro-batches of nearly equal size; a list is used as given.
 *
 * @throws LocalgradError `misuse` for an empty list, and for a batch without images or targets
 */
export function splitBatch(batch: Batch | readonly (Batch | BatchPart)[], count: number): BatchPart[] {
  if (isList(batch)) {
    if (batch.length === 0) throw new LocalgradError('misuse', 'A train step received an empty list of batches.');
    return batch.map((one) => ('with' in one ? one : wholeBatch(one)));
  }
  checkParts(batch);
  const sizes = partSizes(batch.images.shape[0], count);
  if (sizes.length <= 1) return [wholeBatch(batch)];
  let end = 0;
  return sizes.map((samples) => {
    const begin = end;
    end += samples;
    return { samples, with: (use) => useSlice(batch, begin, samples, use) };
  });
}

/** Numbers of samples of the micro-batches of a batch: nearly equal, and no more of them than samples. */
export function partSizes(samples: number, count: number): number[] {
  const parts = Math.min(count, samples);
  const bound = (index: number) => Math.round((index * samples) / parts);
  return Array.from({ length: parts }, (_, index) => bound(index + 1) - bound(index));
}

function wholeBatch(batch: Batch): BatchPart {
  checkParts(batch);
  return { samples: batch.images.shape[0], with: (use) => use(batch) };
}

/** The batches of a step that receives one or several. */
export function listOf(batch: Batch | readonly Batch[]): readonly Batch[] {
  return isList(batch) ? batch : [batch];
}

function isList<One extends Batch | BatchPart>(batch: Batch | readonly One[]): batch is readonly One[] {
  return Array.isArray(batch);
}

function useSlice<Result>(
  { images, targets }: Batch,
  begin: number,
  size: number,
  use: (batch: Batch) => Result,
): Result {
  const cut = <T extends tf.Tensor>(tensor: T): T =>
    tf.slice(tensor, [begin, ...tensor.shape.slice(1).map(() => 0)], [size, ...tensor.shape.slice(1)]);
  const entries = Object.entries(targets).flatMap(([name, target]) =>
    target === undefined ? [] : [[name, cut(target)] as const],
  );
  const part = { images: cut(images), targets: Object.fromEntries(entries) };
  try {
    return use(part);
  } finally {
    tf.dispose([part.images, ...entries.map(([, target]) => target)]);
  }
}

/** Accumulates the gradients of several batches. */
export class GradientBuffer {
  readonly #held = new Map<Parameter, tf.Tensor>();

  /** Takes ownership of the gradients. */
  add(gradients: readonly ParameterGradient[]): void {
    for (const one of gradients) this.#held.set(one.parameter, tf.keep(this.#sum(one)));
  }

  /** Adds the accumulated gradients of the same weights; the caller owns the sums. */
  take(gradients: readonly ParameterGradient[]): ParameterGradient[] {
    return gradients.map((one) => {
      const gradient = tf.keep(this.#sum(one));
      this.#held.delete(one.parameter);
      return { parameter: one.parameter, gradient };
    });
  }

  /** Returns and removes all accumulated gradients; owned by the caller. */
  takeAll(): ParameterGradient[] {
    const all = [...this.#held].map(([parameter, gradient]) => ({ parameter, gradient }));
    this.#held.clear();
    return all;
  }

  dispose(): void {
    tf.dispose([...this.#held.values()]);
    this.#held.clear();
  }

  #sum({ parameter, gradient }: ParameterGradient): tf.Tensor {
    const held = this.#held.get(parameter);
    if (held === undefined) return gradient;
    const sum = currentKernels().accumulate(held, gradient);
    gradient.dispose();
    return sum;
  }
}

/** How the micro-batches of a step are run. */
export interface PartsRun {
  readonly executor: Executor;
  /** Takes ownership of the gradients. */
  readonly update: (gradients: readonly ParameterGradient[]) => void;
  /** Whether `update` receives all gradients of the step in one call. */
  readonly needsWholeStep: boolean;
  /** Clock and random numbers of a micro-batch. */
  readonly momentOf: (part: number) => Pick<StepOptions, 'clock' | 'headClock' | 'noise'>;
}

/** A micro-batch of a step. */
export interface MicroBatch {
  /** Its index. */
  readonly part: number;
  readonly isLast: boolean;
  /** Its fraction of the batch. */
  readonly scale: number;
}

/** Runs the micro-batches of a step one after the other; `accumulateResults` averages the results. */
export function runEach(parts: readonly BatchPart[], run: (batch: Batch, micro: MicroBatch) => StepResult) {
  const samples = parts.reduce((sum, part) => sum + part.samples, 0);
  return parts.map((one, part) => {
    const micro = { part, isLast: part === parts.length - 1, scale: one.samples / samples };
    return { result: one.with((batch) => run(batch, micro)), scale: micro.scale };
  });
}

/** Runs the micro-batches of a step, and updates weights as soon as their gradients are complete. */
export function runParts(parts: readonly BatchPart[], { executor, update, needsWholeStep, momentOf }: PartsRun) {
  const buffer = new GradientBuffer();
  try {
    const results = runEach(parts, (batch, { part, isLast, scale }) => {
      const onGradients = (gradients: readonly ParameterGradient[]) => {
        // Gradients accumulate until the last micro-batch, in which each group is complete when it arrives.
        if (isLast && !needsWholeStep) update(buffer.take(gradients));
        else buffer.add(gradients);
      };
      return executor.step(batch, { scale, movesAverages: isLast, onGradients, ...momentOf(part) });
    });
    if (needsWholeStep) update(buffer.takeAll());
    return accumulateResults(results);
  } finally {
    buffer.dispose();
  }
}

/** Averages losses and terms over the samples of a step. Disposes those of the parts. */
export function accumulateResults(
  parts: readonly { readonly result: StepResult; readonly scale: number }[],
): StepResult {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only.result;
  return { losses: weightedSums(parts, 'losses'), terms: weightedSums(parts, 'terms') };
}

function weightedSums(
  parts: readonly { readonly result: StepResult; readonly scale: number }[],
  kind: 'losses' | 'terms',
): Map<string, tf.Scalar> {
  const ids = new Set(parts.flatMap(({ result }) => [...result[kind].keys()]));
  return new Map(
    [...ids].map((id) => {
      const values = parts.map(({ result, scale }) => ({ value: get(result[kind], id, 'loss'), scale }));
      const sum = tf.tidy(() =>
        values.map(({ value, scale }) => tf.mul<tf.Scalar>(value, scale)).reduce((total, next) => tf.add(total, next)),
      );
      tf.dispose(values.map(({ value }) => value));
      return [id, sum];
    }),
  );
}
