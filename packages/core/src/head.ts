import type { Scalar, Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import type { BlockReference } from './backbone.js';
import type { Mode } from './block.js';
import type { Parameter, ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/** What losses compare with. Borrowed by heads. */
export interface Targets {
  /** Class of each sample, int32, shape [batch]. */
  readonly labels: Tensor1D;
  /** The augmented images before normalisation, values in [0, 1], shape [batch, height, width, channels]. */
  readonly images?: Tensor4D;
}

export interface HeadRequest {
  readonly mode: Mode;
  /** Factor on every gradient that comes back (not on the losses). */
  readonly weight: number;
  /** Compute the cotangent of the input. */
  readonly input: boolean;
}

export interface HeadResult {
  /** The unweighted loss: what is minimised before `weight`. Owned by the caller. */
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
  readonly cost: HeadCost;
  /** The loss compares with `targets.images`: batches must carry them. */
  readonly readsImages?: boolean;
  /** Forward and backward at once. @param h [batch, ...inputShape]; borrowed */
  evaluate(h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult;
  /** Class scores [batch, classes] in evaluation mode, where the head is a classifier. */
  predict?(h: Tensor4D): Tensor;
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

/** A block of the backbone that stands again in a head. */
export interface ChainBlock {
  readonly reference: BlockReference;
  /** Name of the live block, `layer3.0`. */
  readonly live: string;
  /** The chain has a copy that is trained by gradient. */
  readonly learnable: boolean;
  /** The chain has a copy that follows the live block by an exponential moving average. */
  readonly averaged: boolean;
}

/** The copies of later blocks that a head puts between the module's output and its own layers (methods.md §5). */
export interface ChainDescription {
  readonly blocks: readonly ChainBlock[];
  /** Share of the old value that an average keeps in each step. */
  readonly momentum: number;
}

/** Makes heads of one kind: a host method supplies it, so that decorators can make more of the same kind. */
export interface HeadFactory {
  /** Field's name of the head, e.g. `1c2f`. */
  readonly name: string;
  /** What the head borrows from later modules, for `explain`. */
  readonly chain?: ChainDescription;
  build(context: HeadContext, scope: ParameterScope): Head;
}
