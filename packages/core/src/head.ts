import type { Scalar, Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import type { BlockReference } from './backbone.js';
import type { Mode } from './block.js';
import type { Clock } from './clock.js';
import type { Parameter, ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/**
 * What losses compare with, by name; the batch is the first axis of each. Borrowed by heads. Classification uses
 * `labels`; data sets for other tasks may bring targets of their own (`values`, `masks`, …).
 */
export interface Targets {
  /** Class of each sample, int32, shape [batch]. */
  readonly labels?: Tensor1D;
  /** The augmented images before normalization, values in [0, 1], shape [batch, height, width, channels]. */
  readonly images?: Tensor4D;
  readonly [name: string]: Tensor | undefined;
}

export interface HeadRequest {
  readonly mode: Mode;
  /** Factor on every gradient that comes back (not on the losses). */
  readonly weight: number;
  /** Compute the cotangent of the input. */
  readonly input: boolean;
  readonly clock: Clock;
}

export interface HeadResult {
  /** The loss before it is multiplied by `weight`. Owned by the caller. */
  readonly loss: Scalar;
  /** Parts of the loss by name, for logs (InfoPro: reconstruction, classification). Owned by the caller. */
  readonly terms?: ReadonlyMap<string, Scalar>;
  /** weight × ∂loss/∂input, if wanted; owned by the caller. */
  readonly input?: Tensor4D;
  /** weight × ∂loss/∂parameter for each weight; owned by the caller. */
  readonly parameters: ReadonlyMap<Parameter, Tensor>;
}

/** What a head costs; the same units as BlockCost. */
export interface HeadCost {
  readonly multiplyAccumulates: number;
  /** Highest extra bytes alive during `evaluate`, over the input. */
  evaluatePeakBytes(batchSize: number): number;
}

/** An auxiliary network with its loss; reads a module's output. */
export interface Head {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  /** Stated cost; measured where absent. */
  readonly cost?: HeadCost;
  /** Names of the targets that the head reads; batches must carry them. Default: `labels`. */
  readonly reads?: readonly string[];
  /** Values of kind `state` that the head keeps from step to step; checkpoints keep them. */
  readonly state?: readonly Parameter[];
  /** Parameters of the head that follow live ones by an exponential moving average. */
  readonly averages?: readonly MovingAverage[];
  /** Forward and backward at once. @param h [batch, ...inputShape]; borrowed */
  evaluate(h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult;
  /** Outputs in evaluation mode, e.g. class scores [batch, classes]. Owned by the caller. */
  predict?(h: Tensor4D): Tensor;
  /**
   * Metrics in evaluation mode by name, means over the batch: `loss`, and for a classifier `accuracy`. Owned by the
   * caller. Heads that end a network need it to be evaluated.
   */
  measure?(h: Tensor4D, targets: Targets): ReadonlyMap<string, Scalar>;
}

/** average ← momentum · average + (1 − momentum) · live, once per step. */
export interface MovingAverage {
  /** Parameter of the head, of kind `frozen` or `weight`. */
  readonly average: Parameter;
  /** Name of the parameter that it follows. */
  readonly live: string;
  /** Fraction of the old value that remains; in [0, 1]. */
  readonly momentum: number;
  /** `afterUpdate`: follows the weights that the step produced. `beforeUpdate`: those that it started from. */
  readonly when: 'beforeUpdate' | 'afterUpdate';
}

/** Where a head is going to sit. */
export interface HeadContext {
  /** Index of the module whose output it reads. */
  readonly module: number;
  /** Number of modules, K. */
  readonly modules: number;
  /** Shape of that output. */
  readonly inputShape: Shape3;
  /** Shape of the last module's output: heads may size themselves after the network's widest stage. */
  readonly finalShape: Shape3;
  readonly classes: number;
  readonly imageShape: Shape3;
}

/** A block of the backbone that a head uses between the module's output and its own layers. */
export interface BorrowedBlock {
  readonly reference: BlockReference;
  /** Name of the live block, `layer3.0`. */
  readonly live: string;
  /** How the head uses it: copies of its own, or the live block itself. Several add their outputs. */
  readonly as: readonly ('trained-copy' | 'averaged-copy' | 'live')[];
  /** Momentum of the averaged copy; 1 where it keeps its initial weights. */
  readonly momentum?: number;
}

/** Makes heads of one kind: a host method supplies it, so that decorators can make more of the same kind. */
export interface HeadFactory {
  /** Field's name of the head, e.g. `1c2f`. */
  readonly name: string;
  /** Blocks of the backbone that the heads use, in forward order; shown by `explain`. Default: none. */
  readonly borrows?: readonly BorrowedBlock[];
  build(context: HeadContext, scope: ParameterScope): Head;
}
