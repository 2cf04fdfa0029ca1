import type { JsonObject } from './json.js';
import type { Network } from './network.js';
import type { TrainingPlan } from './plan.js';

/**
 * A local-learning method: a function from a network to a plan, independent of trainer and backend.
 *
 * `specVersion` lets later versions of core accept methods written for this version.
 */
export interface LocalLearningMethod {
  /** Version of the specification that the method implements. */
  readonly specVersion: 'v1';
  /** An expression: `dgl`, `mlm(dgl)`. */
  readonly name: string;
  /**
   * Plain data that rebuilds the method: `{ method: 'dgl', head: '1c2f' }`, `{ decorator: 'mlm', of: {…}, window: 2 }`.
   */
  readonly config: JsonObject;
  /** Plans the losses for a network. @throws LocalgradError `invalid-option` if the method does not fit the network */
  plan(network: Network): TrainingPlan;
}

/** A function from method to method that rewrites plans; closed under composition. */
export type MethodDecorator = (method: LocalLearningMethod) => LocalLearningMethod;

/** The decorator that returns the method unchanged. */
export const identity: MethodDecorator = (method) => method;

/** `compose(a, b)(method)` is `a(b(method))`: the last decorator is applied first. */
export function compose(...decorators: readonly MethodDecorator[]): MethodDecorator {
  return (method) => decorators.reduceRight((wrapped, decorate) => decorate(wrapped), method);
}
