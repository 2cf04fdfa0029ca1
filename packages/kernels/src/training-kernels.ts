import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import type { ConvolutionGeometry, PoolingGeometry, Shape4 } from './geometry.js';
import type { StepRecorder } from './step-recorder.js';
import type { AdamUpdate, AdamUpdateRequest, BlendRequest, SgdUpdate, SgdUpdateRequest } from './update-requests.js';

export type { ConvolutionGeometry, Padding, PerAxis, PoolingGeometry, Shape4 } from './geometry.js';

/** Batch statistics of one batch-norm layer, each of shape [channels]. */
export interface BatchStatistics {
  readonly mean: Tensor1D;
  /** Biased (divided by N·H·W). */
  readonly variance: Tensor1D;
}

/**
 * Running statistics of a batch-norm layer that move towards those of a batch; each of shape [channels]. Borrowed. Their
 * numbers may change if no other handle shares them: the caller replaces them by the result.
 */
export interface RunningStatistics {
  readonly mean: Tensor1D;
  /** Unbiased (divided by N·H·W − 1). */
  readonly variance: Tensor1D;
  /** Fraction of the running values that is kept: r ← kept·r + (1 − kept)·s. */
  readonly kept: number;
}

export interface MovedStatistics extends BatchStatistics {
  /** The running statistics after the batch; present if they were passed. */
  readonly running?: Omit<RunningStatistics, 'kept'>;
}

/** Statistics and parameters of one batch-norm layer, each of shape [channels]. */
export interface Normalization {
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
  readonly epsilon: number;
  readonly scale: Tensor1D;
  readonly shift: Tensor1D;
}

export interface BatchNormGradientRequest {
  /** Cotangent of the output. Consumed. */
  readonly dy: Tensor4D;
  /** Input of the forward pass. Consumed if `overwriteInput`, else borrowed. */
  readonly x: Tensor4D;
  readonly normalization: Normalization;
  /**
   * Mask of a ReLU: `none` (no ReLU), `recompute` (positive values of the output computed from x, without a residual), or
   * the output tensor itself (its positive values; borrowed).
   */
  readonly mask: 'none' | 'recompute' | Tensor4D;
  readonly overwriteInput: boolean;
  /** Whether to return the masked dy too: the cotangent of a residual that was added before the ReLU. */
  readonly wantMasked: boolean;
}

/** A gradient of batch norm whose output only reaches the loss by means over windows that fill the map without gaps. */
export interface PooledBatchNormGradientRequest extends Omit<BatchNormGradientRequest, 'dy' | 'wantMasked'> {
  /** Cotangent of the means: [n, h / window height, w / window width, channels]. Consumed. */
  readonly dy: Tensor4D;
}

export interface BatchNormGradient {
  readonly dx: Tensor4D;
  readonly dScale: Tensor1D;
  readonly dShift: Tensor1D;
  /** Present if `wantMasked`. */
  readonly masked?: Tensor4D;
}

/** Parameters of a group-norm layer. */
export interface GroupNormParameters {
  /** Number of groups of channels; divides the channels. */
  readonly groups: number;
  readonly epsilon: number;
  /** [channels] */
  readonly scale: Tensor1D;
  /** [channels] */
  readonly shift: Tensor1D;
}

/** Statistics per image and group, each of shape [batch, groups]. */
export interface GroupStatistics {
  readonly mean: Tensor2D;
  /** Biased (divided by the number of values in a group). */
  readonly variance: Tensor2D;
}

export interface GroupNormGradientRequest {
  /** Cotangent of the output. Consumed. */
  readonly dy: Tensor4D;
  /** Input of the forward pass. Borrowed. */
  readonly x: Tensor4D;
  /** Of the forward pass. Borrowed. */
  readonly statistics: GroupStatistics;
  readonly parameters: Omit<GroupNormParameters, 'shift'>;
}

export interface GroupNormGradient {
  readonly dx: Tensor4D;
  readonly dScale: Tensor1D;
  readonly dShift: Tensor1D;
}

/** Weights of a linear map along one axis, [out][in]; not changed after its first use. */
export type AxisMap = readonly (readonly number[])[];

/**
 * The operations that dominate the time of a training step: float32, channels last. `stockKernels`, composed from stock
 * TensorFlow.js operations, is the reference; backends may have faster ones. All run synchronously and never read back.
 *
 * "Consumed" arguments are disposed by the kernel or reused as its result; a kernel overwrites a consumed buffer only if no
 * other handle shares it. The caller owns all results.
 */
export interface TrainingKernels {
  /** For logs. */
  readonly name: string;
  /** Records whole steps. Optional. */
  readonly recorder?: StepRecorder;
  /** @param x [n, h, w, ci] @param filter [kh, kw, ci, co] */
  conv2d(x: Tensor4D, filter: Tensor4D, geometry: ConvolutionGeometry): Tensor4D;
  /** @param added a cotangent of the same input, added to the gradient. Borrowed. */
  conv2dInputGradient(
    dy: Tensor4D,
    filter: Tensor4D,
    inputShape: Shape4,
    geometry: ConvolutionGeometry,
    added?: Tensor4D,
  ): Tensor4D;
  /**
   * `conv2dInputGradient` of a convolution at stride 1 whose input and output have the same shape, into the buffer of dy unless another
   * handle shares it. Consumes dy. Optional: saves a map where the kernel above needs one for its result.
   *
   * @param added as above
   */
  conv2dInputGradientInPlace?(
    dy: Tensor4D,
    filter: Tensor4D,
    geometry: ConvolutionGeometry,
    added?: Tensor4D,
  ): Tensor4D;
  conv2dFilterGradient(x: Tensor4D, dy: Tensor4D, filterShape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
  /**
   * Convolution with separate filters per channel. Output channel c·m + q depends on input channel c.
   *
   * @param x [n, h, w, c] @param filter [kh, kw, c, m]
   */
  depthwiseConv2d(x: Tensor4D, filter: Tensor4D, geometry: ConvolutionGeometry): Tensor4D;
  depthwiseConv2dInputGradient(
    dy: Tensor4D,
    filter: Tensor4D,
    inputShape: Shape4,
    geometry: ConvolutionGeometry,
  ): Tensor4D;
  depthwiseConv2dFilterGradient(
    x: Tensor4D,
    dy: Tensor4D,
    filterShape: Shape4,
    geometry: ConvolutionGeometry,
  ): Tensor4D;
  /**
   * Convolution in groups: each group of output channels depends on one group of as many input channels as the filter has.
   *
   * @param x [n, h, w, ci] @param filter [kh, kw, ci / groups, co] @param groups divides ci and co
   */
  groupedConv2d(x: Tensor4D, filter: Tensor4D, groups: number, geometry: ConvolutionGeometry): Tensor4D;
  groupedConv2dInputGradient(
    dy: Tensor4D,
    filter: Tensor4D,
    groups: number,
    inputShape: Shape4,
    geometry: ConvolutionGeometry,
  ): Tensor4D;
  groupedConv2dFilterGradient(
    x: Tensor4D,
    dy: Tensor4D,
    groups: number,
    filterShape: Shape4,
    geometry: ConvolutionGeometry,
  ): Tensor4D;
  /** `conv2d`, then `batchStatistics` of its output, in one operation. Optional, as are all that name two operations. */
  conv2dStatistics?(
    x: Tensor4D,
    filter: Tensor4D,
    geometry: ConvolutionGeometry,
    running?: RunningStatistics,
  ): MovedStatistics & { readonly output: Tensor4D };
  /** `batchNormApply` of x with ReLU, then `conv2dFilterGradient` of the result, in one operation. Optional. */
  conv2dActivatedFilterGradient?(
    x: Tensor4D,
    normalization: Normalization,
    dy: Tensor4D,
    filterShape: Shape4,
    geometry: ConvolutionGeometry,
  ): Tensor4D;
  batchStatistics(x: Tensor4D, running?: RunningStatistics): MovedStatistics;
  /** act(scale·(x − mean)/√(variance + ε) + shift + residual), act = ReLU or identity. */
  batchNormApply(x: Tensor4D, normalization: Normalization, residual: Tensor4D | undefined, relu: boolean): Tensor4D;
  /**
   * `batchStatistics` and `batchNormApply` in one operation. Optional: callers fall back to the two above, which are
   * required.
   */
  batchNormForward?(
    x: Tensor4D,
    normalization: Omit<Normalization, 'mean' | 'variance'>,
    residual: Tensor4D | undefined,
    relu: boolean,
    running?: RunningStatistics,
  ): MovedStatistics & { readonly output: Tensor4D };
  /** Gradient with batch statistics (they depend on x). */
  batchNormGradient(request: BatchNormGradientRequest): BatchNormGradient;
  /** `averagePoolGradient`, then `batchNormGradient`, in one operation and without the map between them. Optional. */
  pooledBatchNormGradient?(request: PooledBatchNormGradientRequest): BatchNormGradient;
  /** scale·(x − mean)/√(variance + ε) + shift, with statistics per image and group of neighboring channels. */
  groupNorm(x: Tensor4D, parameters: GroupNormParameters): GroupStatistics & { readonly output: Tensor4D };
  groupNormGradient(request: GroupNormGradientRequest): GroupNormGradient;
  /**
   * softmax(q·kᵀ/√d)·v of each head of d channels, [n, 1, tokens, heads·d]. Borrows x. Optional, as is its gradient: composed of stock
   * operations, both keep all attention weights in memory.
   *
   * @param x [n, 1, tokens, 3·heads·d]: queries, keys and values side by side, each with the heads one after the other
   */
  attention?(x: Tensor4D, heads: number): Tensor4D;
  /** Consumes dy, borrows x. */
  attentionGradient?(dy: Tensor4D, x: Tensor4D, heads: number): Tensor4D;
  /** The exact GELU, x·Φ(x) with the normal distribution's Φ. Borrows x. Optional, as is its gradient. */
  gelu?(x: Tensor4D): Tensor4D;
  /** dy·(Φ(x) + x·φ(x)). Consumes dy, borrows x. */
  geluGradient?(dy: Tensor4D, x: Tensor4D): Tensor4D;
  /** a + b. Consumes a, borrows b. */
  accumulate<T extends Tensor>(a: T, b: T): T;
  /** a·b with optional transposes; borrows both. */
  matMul(a: Tensor2D, b: Tensor2D, transposeA: boolean, transposeB: boolean): Tensor2D;
  /**
   * A linear map along the middle axis: y[o, i, :] = Σₖ map[i][k] · x[o, k, :], or with map[k][i] if `transposed`. Borrows x. Zero
   * weights may be skipped; NaN and infinities may reach other elements of the same `outer` index.
   *
   * @param x [outer, in, inner]
   */
  mapAxis(x: Tensor3D, map: AxisMap, transposed: boolean): Tensor3D;
  /**
   * Gradient of max(x, 0) + slope·min(x, 0): dy where the output is positive, slope·dy elsewhere. Borrows both.
   *
   * @param slope in [0, 1)
   */
  reluGradient(dy: Tensor4D, output: Tensor4D, slope: number): Tensor4D;
  /** [n, h, w, c] → [n, c] */
  globalAveragePool(x: Tensor4D): Tensor2D;
  globalAveragePoolGradient(dy: Tensor2D, inputShape: Shape4): Tensor4D;
  /** Largest value of each window; NaN if the window contains one. */
  maxPool(x: Tensor4D, geometry: PoolingGeometry): Tensor4D;
  /**
   * Adds dy of each window to its first largest value in row-major order, as PyTorch does. If the window contains NaN, to a
   * non-finite value (in PyTorch and the reference, the last NaN). Borrows dy and x, the input of the forward pass.
   */
  maxPoolGradient(dy: Tensor4D, x: Tensor4D, geometry: PoolingGeometry): Tensor4D;
  /** Mean over the cells of each window; padding does not count (PyTorch's `count_include_pad=False`). */
  averagePool(x: Tensor4D, geometry: PoolingGeometry): Tensor4D;
  /** Borrows dy. */
  averagePoolGradient(dy: Tensor4D, inputShape: Shape4, geometry: PoolingGeometry): Tensor4D;
  /**
   * Mean cross-entropy over the batch and weight × its gradient. Callers check labels where data enters; a label outside
   * 0 … classes − 1 makes the loss and its row of the gradient NaN, or throws LocalgradError `invalid-data`.
   *
   * @param labels int32 [n]
   */
  softmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D, weight: number): { loss: Scalar; gradient: Tensor2D };
  /**
   * Mean binary cross-entropy between σ(logits) and targets, with logarithms ≥ −100, and weight × the gradient of the unbounded one.
   * Borrows both.
   */
  binaryCrossEntropy(logits: Tensor4D, targets: Tensor4D, weight: number): { loss: Scalar; gradient: Tensor4D };
  /**
   * PyTorch's `clip_grad_norm_`: gradients × min(1, norm / (‖all gradients‖₂ + 10⁻⁶)), in their order. Consumes the gradients.
   * Optional, for kernels that record steps: `clipAll` of this package composes it of stock operations.
   *
   * @param norm largest norm of all gradients together; > 0
   */
  clipAll?(gradients: readonly Tensor[], norm: number): Tensor[];
  /**
   * Updates of any number of weights, one result for each request.
   *
   * PyTorch's SGD: g ← g + wd·p; v ← m·v + g (v = g at first); p ← p − lr·(nesterov ? g + m·v : v). Without momentum there is no v.
   */
  sgdUpdateAll(requests: readonly SgdUpdateRequest[]): SgdUpdate[];
  /**
   * As `sgdUpdateAll`. PyTorch's Adam and AdamW: without `decoupled` g ← g + wd·p, with it p ← p·(1 − lr·wd); then m ← m + (1 − β₁)(g − m);
   * v ← β₂·v + (1 − β₂)·g²; p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
   */
  adamUpdateAll(requests: readonly AdamUpdateRequest[]): AdamUpdate[];
  /** Moving averages, one result for each request. */
  blendAll(requests: readonly BlendRequest[]): Tensor[];
}
