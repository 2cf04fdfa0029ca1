import type { Shape3, Targets } from '@localgrad/core';
import type { Scalar, Tensor4D } from '@tensorflow/tfjs';

export interface LossResult {
  /** Unweighted. Owned by the caller. */
  readonly loss: Scalar;
  /** weight × ∂loss/∂output. Owned by the caller. */
  readonly cotangent: Tensor4D;
}

/** A loss on a network's last feature map, with its gradient. */
export interface LossFunction {
  readonly name: string;
  /** Names of the targets that `evaluate` and `metrics` read. */
  readonly reads: readonly string[];
  /**
   * Whether the output predicts a target: heads with this loss then have `predict`. Not so for features and
   * reconstructions.
   */
  readonly predicts: boolean;
  /** @param output [batch, height, width, channels], [batch, 1, 1, classes] for classifiers; borrowed */
  evaluate(output: Tensor4D, targets: Targets, weight: number): LossResult;
  /** Metrics besides the loss, means over the batch. Owned by the caller. @param output borrowed */
  metrics?(output: Tensor4D, targets: Targets): ReadonlyMap<string, Scalar>;
  /** Highest bytes during `evaluate`, over the output; what is returned included. */
  peakBytes(outputShape: Shape3, batchSize: number): number;
}
