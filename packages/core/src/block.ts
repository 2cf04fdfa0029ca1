import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import type { Parameter, ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/** How a forward pass is run. */
export interface Mode {
  /** Batch statistics and residuals for a VJP (true), or running statistics (false). */
  readonly training: boolean;
  /**
   * How many times the running statistics take in this batch (n updates have the closed form
   * r ← 0.9ⁿ·r + (1 − 0.9ⁿ)·s). 1 in training, 0 when a forward is repeated, more to emulate reference code.
   */
  readonly statisticsUpdates: number;
  /** Key of the random numbers of this step (dropout, stochastic depth). Absent: blocks that need noise act without. */
  readonly noise?: NoiseKey;
}

/**
 * Identifies the random numbers of one forward pass. A block derives its numbers from the key and its own name alone, so
 * that a repeated forward draws the same ones, and a resumed run continues with the same bits.
 */
export interface NoiseKey {
  /** Seed of the run. */
  readonly seed: number;
  /** Optimizer step, from 0. */
  readonly step: number;
  /** Micro-batch within the step, from 0. */
  readonly part: number;
}

export const trainingMode: Mode = { training: true, statisticsUpdates: 1 };
/** Repeats a training forward without touching running statistics. */
export const recomputeMode: Mode = { training: true, statisticsUpdates: 0 };
export const evaluationMode: Mode = { training: false, statisticsUpdates: 0 };

/**
 * One forward pass through a block.
 *
 * `input` is borrowed: whoever made it keeps it alive until the pass is released. `output` belongs to the caller of
 * `forward`, who keeps it alive until the pass is released. `residuals` belong to the pass.
 */
export interface Pass {
  readonly input: Tensor4D;
  readonly output: Tensor4D;
  /** Disposes what the pass still owns (never input or output). Calling it again does nothing. */
  release(): void;
}

export interface Want {
  /** Compute the cotangent of the input. */
  readonly input: boolean;
  /** Compute the gradients of the block's weights. */
  readonly parameters: boolean;
  /** This is the last VJP of the pass: its residuals may be overwritten and are released. */
  readonly release: boolean;
}

export interface Cotangents {
  /** Present if wanted; belongs to the caller. */
  readonly input?: Tensor4D;
  /** One gradient for each weight, if wanted; they belong to the caller. */
  readonly parameters: ReadonlyMap<Parameter, Tensor>;
}

/** What a block costs. MACs are per sample; bytes are for the batch size given. */
export interface BlockCost {
  /** Multiply-accumulates of one forward pass for one sample. */
  readonly multiplyAccumulates: number;
  /** Bytes that a training pass keeps besides input and output. */
  residualBytes(batchSize: number): number;
  /** Highest extra bytes alive during a training forward, over input, before it settles to output + residuals. */
  forwardPeakBytes(batchSize: number): number;
  /**
   * Highest extra bytes alive during a VJP, over what is alive when it starts (input, output, residuals, dy). What a
   * releasing VJP frees or overwrites on the way counts against it.
   */
  vjpPeakBytes(batchSize: number, want: Want): number;
}

/** A differentiable piece of a network with an explicit forward pass and vector-Jacobian product. */
export interface Block {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  /** Weights and frozen parameters, in forward order. */
  readonly parameters: readonly Parameter[];
  /** Running statistics, in forward order. */
  readonly statistics: readonly Parameter[];
  /** Stated cost; measured where absent. */
  readonly cost?: BlockCost;

  /** @param x shape [batch, ...inputShape]; borrowed */
  forward(x: Tensor4D, mode: Mode): Pass;

  /**
   * Vector-Jacobian product of a training pass. May be called several times for one pass; the last call says `release`.
   *
   * @param dy cotangent of the output, shape of the output; consumed: the block disposes it or writes into its buffer
   */
  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents;

  /** The same architecture with fresh weights drawn in `scope`. */
  replicate(scope: ParameterScope): Block;
}
