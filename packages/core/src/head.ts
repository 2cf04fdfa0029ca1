import type { Scalar, Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import type { BlockReference } from './backbone.js';
import type { Mode } from './block.js';
import type { Clock } from './clock.js';
import type { Parameter, ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/**
 * Targets of the losses by name; the first axis of each is the batch. Borrowed by heads. Classification uses `labels`;
 * data sets for other tasks may define other targets (`values`, `masks`, …).
 */
export interface Targets {
  /** Class of each sample, int32, shape [batch]. */
  readonly labels?: Tensor1D;
  /** Augmented images before normalization, values in [0, 1], shape [batch, height, width, channels]. */
  readonly images?: Tensor4D;
  /**
   * Input of the module whose output the head reads, shape [batch, ...moduleInputShape]: the output of the module before,
   * or the normalized images. Provided by the engine for heads that read it, never by batches. A constant: no gradient
   * propagates to it.
   */
  readonly moduleInput?: Tensor4D;
  /**
   * Gradient of the losses of later modules with respect to the output that the head reads, shape [batch, ...inputShape]. Provided
   * by the engine for heads that synthesize it, never by batches.
   */
  readonly outputGradient?: Tensor4D;
  readonly [name: string]: Tensor | undefined;
}

/** Name of the target that contains the module's input; see `Targets`. */
export const moduleInputTarget = 'moduleInput';

/** Name of the target from which synthesized gradients are learned; see `Targets`. */
export const outputGradientTarget = 'outputGradient';

/** What a head is to compute in one evaluation. */
export interface HeadRequest {
  /** Mode of the head's forward pass. */
  readonly mode: Mode;
  /** Factor on all returned gradients (not on the losses). */
  readonly weight: number;
  /** Compute the cotangent of the input. */
  readonly input: boolean;
  /** Position in training, for scheduled values. */
  readonly clock: Clock;
  /**
   * Share of the labels that is spread evenly over all classes, in [0, 1), for losses that classify images (label smoothing,
   * Szegedy et al., CVPR 2016). Default 0. Other losses ignore it; composed heads hand it on.
   */
  readonly labelSmoothing?: number;
}

/** What a head is to synthesize. */
export type SynthesisRequest = Pick<HeadRequest, 'mode' | 'weight' | 'clock'>;

/** Result of one evaluation of a head. */
export interface HeadResult {
  /** The unweighted loss. Owned by the caller. */
  readonly loss: Scalar;
  /** Parts of the loss by name, for logs (InfoPro: reconstruction, classification). Owned by the caller. */
  readonly terms?: ReadonlyMap<string, Scalar>;
  /** weight × ∂loss/∂input, if requested; owned by the caller. */
  readonly input?: Tensor4D;
  /** weight × ∂loss/∂parameter for each weight; owned by the caller. */
  readonly parameters: ReadonlyMap<Parameter, Tensor>;
}

/** Cost of a head, in the units of BlockCost. */
export interface HeadCost {
  /** Multiply-accumulates of one evaluation without its backward pass, per sample. */
  readonly multiplyAccumulates: number;
  /** Peak bytes during `evaluate` beyond the input, with the cotangent of the input unless the head synthesizes gradients. */
  evaluatePeakBytes(batchSize: number): number;
  /** Peak bytes during `synthesize` beyond the input. Default: those of `evaluate`. */
  synthesizePeakBytes?(batchSize: number): number;
}

/** An auxiliary network (head) with its loss, applied to a module's output. */
export interface Head {
  /** Name of the head, for messages, logs and `explain`. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample of the feature map that the head reads. */
  readonly inputShape: Shape3;
  /** Weights and frozen parameters, in forward order. */
  readonly parameters: readonly Parameter[];
  /** Running statistics, in forward order. */
  readonly statistics: readonly Parameter[];
  /** Declared cost; measured if absent. */
  readonly cost?: HeadCost;
  /**
   * Names of the targets that the head reads. Batches must contain them, except `moduleInput` and `outputGradient`, which the
   * engine provides.
   * Default: `labels`.
   */
  readonly reads?: readonly string[];
  /** Weights in the loss of the `terms` that `evaluate` returns; shown by `explain`. */
  readonly termWeights?: ReadonlyMap<string, number>;
  /** Parameters of kind `state` that persist between steps; stored in checkpoints. */
  readonly state?: readonly Parameter[];
  /** Exponential moving averages of live parameters. */
  readonly averages?: readonly MovingAverage[];
  /** Computes the loss and its gradients. @param h [batch, ...inputShape]; borrowed */
  evaluate(h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult;
  /**
   * Predicts the gradient that later modules would send to the head's input (a synthetic gradient: Jaderberg et al., ICML 2017).
   * The module is trained by it, not by the gradient of the head's loss. The head must read the target `outputGradient`:
   * once the next module has computed that gradient, in the same step and before any update, the head is evaluated on the same
   * input to learn from it.
   *
   * @param h [batch, ...inputShape]; borrowed
   * @param targets those that the head reads, without `outputGradient`
   * @returns weight × the prediction, shape [batch, ...inputShape]; owned by the caller. Statistics must not change
   */
  synthesize?(h: Tensor4D, targets: Targets, request: SynthesisRequest): Tensor4D;
  /** Outputs in evaluation mode, e.g. class scores [batch, classes]. Owned by the caller. */
  predict?(h: Tensor4D): Tensor;
  /**
   * Measurements in evaluation mode by name, owned by the caller: metrics averaged over the batch as scalars (`loss`, and for
   * a classifier `accuracy`), and counts as tensors of one axis or more, whose sums `summarize` receives. Required to
   * evaluate a network that ends with this head.
   */
  measure?(h: Tensor4D, targets: Targets): ReadonlyMap<string, Tensor>;
  /**
   * Measurements like those of `measure`, from class probabilities of every pixel, such as the mean of several predictions. Only
   * heads that predict label maps have it: the softmax over the last axis of what `predict` returns are probabilities.
   *
   * @param probabilities [batch, height, width, classes], of any height and width; borrowed
   */
  measureProbabilities?(probabilities: Tensor4D, targets: Targets): ReadonlyMap<string, Tensor>;
  /**
   * Metrics of all evaluated samples that are not means over samples, such as the mean intersection over union, from the
   * sums of the counts that `measure` returned for each batch. Required if it returns any.
   */
  summarize?(counts: ReadonlyMap<string, Float64Array>): Readonly<Record<string, number>>;
  /** The metric by which epochs and runs are chosen, unless the user names another one. Default `accuracy`. */
  readonly mainMetric?: string;
  /** Metrics of which lower values are better. `loss` is one without being listed. Default: no others. */
  readonly errorMetrics?: readonly string[];
}

/** average ← momentum · average + (1 − momentum) · live, once per step. */
export interface MovingAverage {
  /** Parameter of the head, of kind `frozen` or `weight`. */
  readonly average: Parameter;
  /** Name of the averaged parameter. */
  readonly live: string;
  /** Fraction of the previous average that is kept per step; in [0, 1]. */
  readonly momentum: number;
  /** `afterUpdate`: averages the weights after the optimizer step. `beforeUpdate`: those before it. */
  readonly when: 'beforeUpdate' | 'afterUpdate';
}

/** Position of a head to be built. */
export interface HeadContext {
  /** Index of the module whose output it reads. */
  readonly module: number;
  /** Number of modules, K. */
  readonly modules: number;
  /** Shape of that output. */
  readonly inputShape: Shape3;
  /** Shape of the input of that module, which heads may read as target `moduleInput`. */
  readonly moduleInputShape: Shape3;
  /** Shape of the last module's output; heads may adapt their width to it. */
  readonly finalShape: Shape3;
  /** Number of classes of the data set. */
  readonly classes: number;
  /** Image shape [height, width, channels]. */
  readonly imageShape: Shape3;
  /** Whether the head reads a patch of a map, of which the shapes of input, module input and image are. Default false. */
  readonly isPatch?: boolean;
  /**
   * Scope of weights that the head shares with others, if its reference says so: the first head creates them, the others
   * receive the same. Statistics and state in this scope belong to each head.
   */
  readonly shared?: ParameterScope;
}

/** A block of the backbone that a head uses between the module's output and its own layers. */
export interface BorrowedBlock {
  /** Stage and index of the block. */
  readonly reference: BlockReference;
  /** Name of the live block, `layer3.0`. */
  readonly live: string;
  /** Whether the head uses its own copies or the live block itself. Outputs of several are added. */
  readonly as: readonly ('trained-copy' | 'averaged-copy' | 'live')[];
  /** Momentum of the averaged copy; 1 keeps its initial weights. */
  readonly momentum?: number;
  /** Work of a copy as a fraction of the live block's, if it runs on smaller maps. Default 1. */
  readonly work?: number;
}

/** One of several losses of a head. */
export interface HeadFactoryTerm {
  /** Name of the loss in logs. */
  readonly name: string;
  /** A finite number > 0. */
  readonly weight: number;
  /** Whether the loss is about the labels, rather than e.g. the image. */
  readonly isClassification: boolean;
  /** Builds the head of the loss. */
  readonly factory: HeadFactory;
}

/** Builds heads of one kind. Host methods provide it, so that decorators can build further heads of the same kind. */
export interface HeadFactory {
  /** Name of the head in the literature, e.g. `1c2f`. */
  readonly name: string;
  /**
   * Blocks of the backbone that the heads use, in forward order; shown by `explain`. Heads may train the weights of a live
   * block only if it is listed. Default: none.
   */
  readonly borrows?: readonly BorrowedBlock[];
  /** The weighted losses that the heads add up, if there are several; for decorators that change only some of them. */
  readonly terms?: readonly HeadFactoryTerm[];
  /** Builds a head. @param scope scope in which the head's weights are created */
  build(context: HeadContext, scope: ParameterScope): Head;
}
