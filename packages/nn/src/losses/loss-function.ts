import type { Shape3, Targets } from '@localgrad/core';
import type { Scalar, Tensor, Tensor4D } from '@tensorflow/tfjs';

/** A loss and its cotangent. */
export interface LossResult {
  /** The unweighted loss. Owned by the caller. */
  readonly loss: Scalar;
  /** weight × ∂loss/∂output. Owned by the caller. */
  readonly cotangent: Tensor4D;
}

/** How a loss is evaluated, besides its weight. */
export interface LossOptions {
  /** As `HeadRequest.labelSmoothing`. */
  readonly labelSmoothing?: number | undefined;
}

/** A loss on a network's last feature map, with its gradient. */
export interface LossFunction {
  /** Name of the loss, for messages and configs. */
  readonly name: string;
  /** Names of the targets that `evaluate` and `metrics` read. */
  readonly reads: readonly string[];
  /**
   * Whether the output is a prediction of a target, so that heads with this loss have `predict`. False for features and
   * reconstructions.
   */
  readonly predicts: boolean;
  /** Evaluates the loss. @param output shape [batch, height, width, channels]; borrowed @param weight factor on the cotangent, not on the loss */
  evaluate(output: Tensor4D, targets: Targets, weight: number, options?: LossOptions): LossResult;
  /**
   * Measurements besides the loss, as those of `Head.measure`: metrics averaged over the batch as scalars, counts as tensors
   * of one axis or more. Owned by the caller. @param output borrowed @param loss what `evaluate` returned; borrowed
   */
  metrics?(output: Tensor4D, targets: Targets, loss: Scalar): ReadonlyMap<string, Tensor>;
  /**
   * The loss and the measurements of `metrics`, from probabilities in place of scores, as `Head.measureProbabilities`.
   *
   * @param probabilities borrowed
   */
  measureProbabilities?(probabilities: Tensor4D, targets: Targets): ReadonlyMap<string, Tensor>;
  /** Metrics from the sums of the counts, as `Head.summarize`. */
  summarize?(counts: ReadonlyMap<string, Float64Array>): Readonly<Record<string, number>>;
  /** As `Head.mainMetric`. */
  readonly mainMetric?: string;
  /** As `Head.errorMetrics`. */
  readonly errorMetrics?: readonly string[];
  /** Peak bytes during `evaluate` beyond the output, including the returned tensors. */
  peakBytes(outputShape: Shape3, batchSize: number): number;
}
