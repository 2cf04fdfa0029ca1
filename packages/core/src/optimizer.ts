import type { Tensor } from '@tensorflow/tfjs';
import type { Clock } from './clock.js';
import type { JsonObject } from './json.js';
import type { Parameter } from './parameter.js';

/** The gradient of one weight. */
export interface ParameterGradient {
  /** The weight that the gradient belongs to. */
  readonly parameter: Parameter;
  /** Has the parameter's shape; owned by the receiver. */
  readonly gradient: Tensor;
}

/** Input of an optimizer update besides the gradients. */
export interface UpdateContext {
  /** Learning rate of this step; an optimizer may scale it per parameter. */
  readonly learningRate: number;
  /** Clock of the step. */
  readonly clock: Clock;
}

/** A rule of an optimizer for some of the weights. */
export interface WeightRule {
  /** Pattern for the names of weights, as the user wrote it: `*.bias`. */
  readonly match: string;
  /** Whether the rule applies to a weight. */
  appliesTo(parameter: Parameter): boolean;
}

/**
 * Turns gradients into weight updates. All state is explicit: named tensors, stored in checkpoints.
 *
 * By default an optimizer receives the gradients of a step in groups, one per module or head as soon as its gradients
 * are complete, so that the gradients of at most one module are in memory. Each weight appears at most once per step; a
 * weight that does not appear keeps its value and state.
 */
export interface Optimizer {
  /** Plain data that rebuilds the optimizer. */
  readonly config: JsonObject;
  /**
   * Receive all gradients of a step in one call (e.g. to clip by global norm), at the cost of storing them all. Default
   * false.
   */
  readonly needsWholeStep?: boolean;
  /** Rules for some of the weights, for `explain` and for a warning about those that apply to none. Default: none. */
  readonly rules?: readonly WeightRule[];
  /** Bytes of optimizer state for a weight; used to predict memory. */
  stateBytes(parameter: Parameter): number;
  /** Updates the weights. Takes ownership of the gradients. */
  update(gradients: readonly ParameterGradient[], context: UpdateContext): void;
  /** State tensors named `slot/parameter`; borrowed, valid until the next update. */
  state(): ReadonlyMap<string, Tensor>;
  /** Replaces the state. Takes ownership of the tensors. @throws LocalgradError `invalid-data` for unknown names */
  load(state: ReadonlyMap<string, Tensor>): void;
  /** Disposes the state tensors. */
  dispose(): void;
}

/** What decides whether an optimizer can update modules one by one, and how errors call it. */
export type UpdateNeeds = Pick<Optimizer, 'needsWholeStep'> & Partial<Pick<Optimizer, 'config'>>;

/** What an error calls an optimizer: with `clipNorm` if it clips, the usual reason why one needs all gradients of a step. */
export function optimizerLabel({ config }: Partial<Pick<Optimizer, 'config'>>): string {
  return config?.clipNorm === undefined ? 'the optimizer' : 'the optimizer with clipNorm';
}

/** A learning rate as a function of the clock. */
export interface Schedule {
  /** Plain data that rebuilds the schedule. */
  readonly config: JsonObject;
  /** Learning rate of the step at this position in training. */
  rate(clock: Clock): number;
}
