import { type Tensor, tensor } from '@tensorflow/tfjs';
import { currentKernels } from './registry.js';

export type NamedTensors = Readonly<Record<string, Tensor>>;

/** A step with static shapes, which can be recorded once and replayed. */
export interface RecordableStep {
  /**
   * Runs the step with ordinary operations, which never read back. Borrows the inputs; the caller owns the results.
   */
  run(inputs: NamedTensors): NamedTensors;
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
export interface RecordedStep {
  /** Runs one step. Borrows the inputs, whose shapes never change; the caller owns the results. */
  run(inputs: NamedTensors): NamedTensors;
  readonly status: RecordingStatus;
  /** Releases the buffers of the recording. */
  dispose(): void;
}

/** Records steps on a backend. */
export interface StepRecorder {
  recordStep(step: RecordableStep): RecordedStep;
  /**
   * Runs code of a step that computes numbers for `sgdUpdateAll` and `adamUpdateAll`. Before each replay it runs again,
   * and these kernels then only take the new numbers.
   */
  repeat(update: () => void): void;
  /** Declares that the values of a tensor are computed on the host. Before each replay they are computed again. */
  recompute(tensor: Tensor, values: () => Float32Array): void;
}

/** A tensor of values that the host computes for this step, such as a dropout mask; computed again in recorded steps. */
export function computedTensor<T extends Tensor>(values: () => Float32Array, shape: readonly number[]): T {
  const result: Tensor = tensor(values(), [...shape], 'float32');
  currentKernels().recorder?.recompute(result, values);
  return result as T;
}
