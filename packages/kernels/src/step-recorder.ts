import { type Scalar, stack, type Tensor, tensor } from '@tensorflow/tfjs';
import { currentKernels } from './registry.js';

export type NamedTensors = Readonly<Record<string, Tensor>>;

/** A step with static shapes, which can be recorded once and replayed. */
export interface RecordableStep<Results extends NamedTensors = NamedTensors> {
  /**
   * Runs the step with ordinary operations, which never read back. Borrows the inputs; the caller owns the results.
   */
  run(inputs: NamedTensors): Results;
  /** The tensors that persist between steps, and that the step reads and replaces or changes; always in the same order. */
  state(): readonly Tensor[];
  /**
   * Numbers that reach the operations and may differ between steps. They are found in the operations by comparing two
   * steps in which they differ, so a number must reach an operation unchanged, not as part of an expression.
   */
  numbers?(): Readonly<Record<string, number>>;
}

/** `ordinary`: cannot be recorded, for the reason given. */
export type RecordingStatus =
  | { readonly mode: 'tracing' }
  | { readonly mode: 'recorded'; readonly dispatches: number; readonly arenaBytes: number; readonly peakBytes: number }
  | { readonly mode: 'ordinary'; readonly reason: string };

/** A step that runs ordinarily until two consecutive steps were equal, and is then replayed. */
export interface RecordedStep<Results extends NamedTensors = NamedTensors> {
  /** Runs one step. Borrows the inputs, whose shapes never change; the caller owns the results. */
  run(inputs: NamedTensors): Results;
  readonly status: RecordingStatus;
  /** Releases the buffers of the recording. */
  dispose(): void;
}

/** Records steps on a backend. */
export interface StepRecorder {
  recordStep<Results extends NamedTensors>(step: RecordableStep<Results>): RecordedStep<Results>;
  /**
   * Runs code of a step that computes numbers for `sgdUpdateAll` and `adamUpdateAll`. Before each replay it runs again,
   * and these kernels then only take the new numbers.
   */
  repeat(update: () => void): void;
  /** See the function of this name. */
  computedTensor(values: () => Float32Array, shape: readonly number[]): Tensor;
  /** See the function of this name. */
  gatherScalars(scalars: readonly Scalar[]): Tensor;
  /**
   * Declares that the running step cannot be recorded: a replay would not repeat what its code does now. Has no effect
   * while the values of a computed tensor are computed.
   *
   * @param reason continues `The step is not recorded because …`
   */
  refuse(reason: string): void;
}

/** A tensor of values that the host computes for this step, such as a dropout mask; computed again in recorded steps. */
export function computedTensor<T extends Tensor>(values: () => Float32Array, shape: readonly number[]): T {
  const { recorder } = currentKernels();
  const result = recorder?.computedTensor(values, shape) ?? tensor(values(), [...shape], 'float32');
  return result as T;
}

/**
 * A vector of the values of scalars, at least one, to be read at once. Borrows the scalars. Where steps are recorded it takes
 * copies and no dispatch: results of recorded steps are parts of larger buffers, which stock operations would have to copy out.
 */
export function gatherScalars(scalars: readonly Scalar[]): Tensor {
  return currentKernels().recorder?.gatherScalars(scalars) ?? stack([...scalars]);
}
