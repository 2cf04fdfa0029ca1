import type { Head, HeadRequest, HeadResult, Shape3, Targets } from '@localgrad/core';
import type { Tensor4D } from '@tensorflow/tfjs';

/** How a head that starts with means over windows of its input is evaluated without a map for the cotangent of the input. */
export interface PooledEvaluation {
  /** Shape [rows of windows, columns of windows, channels] of the means of one sample. The windows fill the map without gaps. */
  readonly shape: Shape3;
  /** As the head's own, but the result's `input` is the cotangent of the means, shape [batch, ...shape]. */
  evaluate(h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult;
  /** As `HeadCost.evaluatePeakBytes`. */
  evaluatePeakBytes(batchSize: number): number;
}

/**
 * By head: a property would be copied into a head that wraps another one, `{ ...head, evaluate }`, where it would bypass the wrapper.
 */
const pooledEvaluations = new WeakMap<Head, PooledEvaluation>();

/** Declares how `head`, and no head that wraps it, is evaluated where its caller reads the cotangent of means. */
export function declarePooledEvaluation(head: Head, evaluation: PooledEvaluation): void {
  pooledEvaluations.set(head, evaluation);
}

/** How a head is evaluated where its caller reads the cotangent of means; undefined if it does not start with means. */
export function pooledEvaluationOf(head: Head): PooledEvaluation | undefined {
  return pooledEvaluations.get(head);
}
