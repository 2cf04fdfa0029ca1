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
  /** The output is one score per class: `predict` makes sense. */
  readonly classifies: boolean;
  /** Reads `targets.images`. */
  readonly readsImages?: boolean;
  /** @param output [batch, 1, 1, classes] or [batch, height, width, channels]; borrowed */
  evaluate(output: Tensor4D, targets: Targets, weight: number): LossResult;
  /** Highest bytes during `evaluate`, over the output; what is returned included. */
  peakBytes(outputShape: Shape3, batchSize: number): number;
}
