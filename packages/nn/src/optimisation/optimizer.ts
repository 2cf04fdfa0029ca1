import type { JsonObject, Parameter } from '@localgrad/core';
import type { Tensor } from '@tensorflow/tfjs';

/** Turns gradients into updates. Its state is explicit: one tensor for each parameter by name. */
export interface Optimizer {
  readonly config: JsonObject;
  /** Updates one parameter. A parameter that gets no call in a step is left alone, its state too. Consumes `gradient`. */
  update(parameter: Parameter, gradient: Tensor, learningRate: number): void;
  /** State by parameter name; borrowed, valid until the next update. */
  state(): ReadonlyMap<string, Tensor>;
  /** Replaces the state. Takes ownership of the tensors. */
  load(state: ReadonlyMap<string, Tensor>): void;
  dispose(): void;
}
