import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import type { Parameter, ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/** Mode of a forward pass. */
export interface Mode {
  /** True: use batch statistics and keep residuals for a VJP. False: use running statistics. */
  readonly training: boolean;
  /**
   * Number of running-statistics updates for this batch (n updates have the closed form r ← 0.9ⁿ·r + (1 − 0.9ⁿ)·s). 1
   * in training, 0 when a forward is repeated, more to emulate reference code.
   */
  readonly statisticsUpdates: number;
  /** Key of this step's random numbers (dropout, stochastic depth). If absent, such blocks run without noise. */
  readonly noise?: NoiseKey;
}

/**
 * Identifies the random numbers of one forward pass. A block derives its numbers only from the key and its own name, so
 * that a repeated forward pass samples the same values and a resumed run is bit-identical.
 */
export interface NoiseKey {
  /** Seed of the run. */
  readonly seed: number;
  /** Optimizer step, from 0. Steps in which it is read other than to draw numbers cannot be recorded on WebGPU. */
  readonly step: number;
  /** Micro-batch within the step, from 0. */
  readonly part: number;
}

/** A training forward pass: batch statistics, one update of the running statistics. */
export const trainingMode: Mode = { training: true, statisticsUpdates: 1 };
/** Repeats a training forward pass without updating running statistics. */
export const recomputeMode: Mode = { training: true, statisticsUpdates: 0 };
/** A forward pass with running statistics, without residuals or noise. */
export const evaluationMode: Mode = { training: false, statisticsUpdates: 0 };

/**
 * One forward pass through a block.
 *
 * `input` is borrowed: its owner keeps it alive until the pass is released. `output` belongs to the caller of
 * `forward`, who keeps it alive until the pass is released. `residuals` belong to the pass.
 */
export interface Pass {
  /** Shape [batch, ...inputShape]. */
  readonly input: Tensor4D;
  /** Shape [batch, ...outputShape]. */
  readonly output: Tensor4D;
  /** Disposes the tensors that the pass still owns (never input or output). Safe to call more than once. */
  release(): void;
}

/** The results that a VJP computes. */
export interface Want {
  /** Compute the cotangent of the input. */
  readonly input: boolean;
  /** Compute the gradients of the block's weights. */
  readonly parameters: boolean;
  /** This is the last VJP of the pass: its residuals may be overwritten and are released. */
  readonly release: boolean;
}

/** Results of a VJP. */
export interface Cotangents {
  /** Present if requested; owned by the caller. */
  readonly input?: Tensor4D;
  /** One gradient per weight, if requested; owned by the caller. */
  readonly parameters: ReadonlyMap<Parameter, Tensor>;
}

/** Cost of a block: multiply-accumulates per sample, and bytes for a given batch size. */
export interface BlockCost {
  /** Multiply-accumulates of one forward pass, per sample. */
  readonly multiplyAccumulates: number;
  /** Bytes that a training pass stores besides input and output. */
  residualBytes(batchSize: number): number;
  /** Peak bytes during a training forward pass beyond the input, including output and residuals. */
  forwardPeakBytes(batchSize: number): number;
  /**
   * Peak bytes during a VJP beyond those already allocated when it starts (input, output, residuals, dy). Memory that a
   * releasing VJP frees or reuses on the way is subtracted.
   */
  vjpPeakBytes(batchSize: number, want: Want): number;
  /**
   * As `vjpPeakBytes`, where dy shares its buffer with a tensor that remains, so that it can be neither freed nor overwritten.
   * Default: `vjpPeakBytes` and the bytes of dy, an upper bound.
   */
  sharedVjpPeakBytes?(batchSize: number, want: Want): number;
}

/** Shape of a block of the same kind; see `Block.resize`. */
export interface BlockGeometry {
  /** Name of the new block. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Channels of its output. */
  readonly channels: number;
  /** Stride in both directions. */
  readonly stride: number;
}

/** A differentiable piece of a network with an explicit forward pass and vector-Jacobian product. */
export interface Block {
  /** Name of the block, unique in its network; its random numbers derive from it. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Shape [height, width, channels] of one sample's output. */
  readonly outputShape: Shape3;
  /** Weights and frozen parameters, in forward order. */
  readonly parameters: readonly Parameter[];
  /** Running statistics, in forward order. */
  readonly statistics: readonly Parameter[];
  /** Declared cost; measured if absent. */
  readonly cost?: BlockCost;

  /** Runs the block on a batch. @param x shape [batch, ...inputShape]; borrowed */
  forward(x: Tensor4D, mode: Mode): Pass;

  /**
   * Vector-Jacobian product of a training pass. May be called several times per pass; the last call sets `release`.
   *
   * @param dy cotangent of the output, with the output's shape; consumed: the block disposes it or reuses its buffer
   */
  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents;

  /** The same architecture with newly initialized weights in `scope`. */
  replicate(scope: ParameterScope): Block;

  /**
   * A block of the same kind with other shapes and newly initialized weights in `scope`, for auxiliary networks that
   * imitate later blocks. Optional.
   */
  resize?(scope: ParameterScope, geometry: BlockGeometry): Block;
}
