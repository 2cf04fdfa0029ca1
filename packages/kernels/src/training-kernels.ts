import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';

/** Shape of a four-dimensional tensor: [batch, height, width, channels], or of a filter [kh, kw, ci, co]. */
export type Shape4 = readonly [number, number, number, number];

/** Square stride and symmetric zero padding, as in PyTorch (TensorFlow's `same` pads asymmetrically at stride 2). */
export interface ConvolutionGeometry {
  readonly stride: number;
  readonly padding: number;
}

/** Batch statistics of one batch-norm layer, each of shape [channels]. */
export interface BatchStatistics {
  readonly mean: Tensor1D;
  /** Biased (divided by N·H·W). */
  readonly variance: Tensor1D;
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
   * Where a ReLU passes the gradient on: `none` (there is no ReLU), `recompute` (where the output computed from x,
   * without a residual, is positive), or the output tensor itself (where it is positive; borrowed).
   */
  readonly mask: 'none' | 'recompute' | Tensor4D;
  readonly overwriteInput: boolean;
  /** Also return the masked dy: the cotangent of a residual that was added before the ReLU. */
  readonly wantMasked: boolean;
}

export interface BatchNormGradient {
  readonly dx: Tensor4D;
  readonly dScale: Tensor1D;
  readonly dShift: Tensor1D;
  /** Present if `wantMasked`. */
  readonly masked?: Tensor4D;
}

export interface SgdUpdateRequest {
  /** Borrowed. */
  readonly value: Tensor;
  /** Consumed. */
  readonly gradient: Tensor;
  /** Consumed; undefined before the first step. */
  readonly velocity: Tensor | undefined;
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/**
 * The operations that dominate the time of a training step: float32, channels last. `stockKernels`, composed from stock
 * TensorFlow.js operations, is the reference; a backend may have faster ones. All run synchronously and read nothing back.
 *
 * "Consumed" arguments are disposed by the kernel or live on as its result; a kernel writes into a consumed buffer only
 * if no other handle shares it. Everything returned belongs to the caller.
 */
export interface TrainingKernels {
  /** For logs. */
  readonly name: string;
  /** @param x [n, h, w, ci] @param filter [kh, kw, ci, co] */
  conv2d(x: Tensor4D, filter: Tensor4D, geometry: ConvolutionGeometry): Tensor4D;
  conv2dInputGradient(dy: Tensor4D, filter: Tensor4D, inputShape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
  conv2dFilterGradient(x: Tensor4D, dy: Tensor4D, filterShape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
  batchStatistics(x: Tensor4D): BatchStatistics;
  /** act(scale·(x − mean)/√(variance + ε) + shift + residual), act = ReLU or identity. */
  batchNormApply(x: Tensor4D, normalization: Normalization, residual: Tensor4D | undefined, relu: boolean): Tensor4D;
  /**
   * `batchStatistics`, then `batchNormApply` with them, in one operation. Optional: callers fall back to the two above,
   * which are always required.
   */
  batchNormForward?(
    x: Tensor4D,
    normalization: Omit<Normalization, 'mean' | 'variance'>,
    residual: Tensor4D | undefined,
    relu: boolean,
  ): BatchStatistics & { readonly output: Tensor4D };
  /** Gradient with batch statistics (they depend on x). */
  batchNormGradient(request: BatchNormGradientRequest): BatchNormGradient;
  /** a + b. Consumes a, borrows b. */
  accumulate<T extends Tensor>(a: T, b: T): T;
  /** a·b with optional transposes; borrows both. */
  matMul(a: Tensor2D, b: Tensor2D, transposeA: boolean, transposeB: boolean): Tensor2D;
  /** [n, h, w, c] → [n, c] */
  globalAveragePool(x: Tensor4D): Tensor2D;
  globalAveragePoolGradient(dy: Tensor2D, inputShape: Shape4): Tensor4D;
  /** Mean cross-entropy over the batch and weight × its gradient. @param labels int32 [n] */
  softmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D, weight: number): { loss: Scalar; gradient: Tensor2D };
  /** PyTorch's SGD: g ← g + wd·p; v ← m·v + g (v = g at first); p ← p − lr·(nesterov ? g + m·v : v). */
  sgdUpdate(request: SgdUpdateRequest): { value: Tensor; velocity: Tensor };
}
