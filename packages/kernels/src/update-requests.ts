import type { Tensor } from '@tensorflow/tfjs';

export interface SgdUpdateRequest {
  /** Borrowed. Its numbers may change if no other handle shares them: the caller replaces it by the result. */
  readonly value: Tensor;
  /** Consumed. */
  readonly gradient: Tensor;
  /** Consumed; undefined before the first step. Not read without momentum. */
  readonly velocity: Tensor | undefined;
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

export interface SgdUpdate {
  readonly value: Tensor;
  /** Undefined where the momentum is 0: no update would read it, and its buffer can hold the value. */
  readonly velocity: Tensor | undefined;
}

export interface AdamUpdateRequest {
  /** As in `SgdUpdateRequest`. */
  readonly value: Tensor;
  /** Consumed. */
  readonly gradient: Tensor;
  /** Moving averages of gradient and squared gradient. Consumed; undefined before the first update. */
  readonly moments: { readonly first: Tensor; readonly second: Tensor } | undefined;
  /** Index of this update, from 1. */
  readonly update: number;
  readonly learningRate: number;
  readonly betas: readonly [first: number, second: number];
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Whether to decay the value itself (AdamW) instead of adding the decay to the gradient (Adam). */
  readonly decoupled: boolean;
}

export interface AdamUpdate {
  readonly value: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
}

/** kept·average + added·value. */
export interface BlendRequest {
  /** As the value in `SgdUpdateRequest`. */
  readonly average: Tensor;
  /** Borrowed. */
  readonly value: Tensor;
  readonly kept: number;
  readonly added: number;
}
