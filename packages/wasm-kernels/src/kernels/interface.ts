import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';

/** Square stride and symmetric zero padding. */
export interface ConvolutionGeometry {
  readonly stride: number;
  readonly padding: number;
}

export interface Normalisation {
  readonly mean: Tensor1D;
  /** Biased. */
  readonly variance: Tensor1D;
  readonly epsilon: number;
  readonly scale: Tensor1D;
  readonly shift: Tensor1D;
}

export type Shape4 = readonly [number, number, number, number];

export interface BatchNormGradientRequest {
  /** Cotangent of the output. Consumed. */
  readonly dy: Tensor4D;
  /** What was normalised. Consumed if `overwriteInput`. */
  readonly x: Tensor4D;
  readonly normalisation: Normalisation;
  /** Where a ReLU let the gradient through: nowhere a ReLU, recompute its sign from x, or the output tensor. */
  readonly mask: 'none' | 'recompute' | Tensor4D;
  readonly overwriteInput: boolean;
  /** Also return the masked dy. */
  readonly wantMasked: boolean;
}

export interface BatchNormGradient {
  readonly dx: Tensor4D;
  readonly dScale: Tensor1D;
  readonly dShift: Tensor1D;
  readonly masked?: Tensor4D;
}

export interface SgdUpdateRequest {
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
 * Training kernels on the heap of the wasm backend: float32, channels last, any shape. Consumed arguments are disposed or
 * live on in a result; a buffer that other handles share is never written to. Results belong to the caller.
 *
 * Results do not depend on the number of threads: sums are formed over fixed pieces in a fixed order.
 */
export interface WasmTrainingKernels {
  readonly name: 'wasm-simd';
  readonly threads: number;
  conv2d(x: Tensor4D, filter: Tensor4D, geometry: ConvolutionGeometry): Tensor4D;
  conv2dInputGradient(dy: Tensor4D, filter: Tensor4D, inputShape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
  conv2dFilterGradient(x: Tensor4D, dy: Tensor4D, filterShape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
  batchStatistics(x: Tensor4D): { mean: Tensor1D; variance: Tensor1D };
  batchNormApply(x: Tensor4D, normalisation: Normalisation, residual: Tensor4D | undefined, relu: boolean): Tensor4D;
  batchNormGradient(request: BatchNormGradientRequest): BatchNormGradient;
  accumulate<T extends Tensor>(a: T, b: T): T;
  matMul(a: Tensor2D, b: Tensor2D, transposeA: boolean, transposeB: boolean): Tensor2D;
  globalAveragePool(x: Tensor4D): Tensor2D;
  globalAveragePoolGradient(dy: Tensor2D, inputShape: Shape4): Tensor4D;
  softmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D, weight: number): { loss: Scalar; gradient: Tensor2D };
  sgdUpdate(request: SgdUpdateRequest): { value: Tensor; velocity: Tensor };
  /** Stops the threads. */
  dispose(): void;
}
