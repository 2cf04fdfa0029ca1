import { add, dispose, div, mul, sqrt, square, sub, type Tensor, tidy } from '@tensorflow/tfjs';

export interface AdamUpdateRequest {
  /** Borrowed. */
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
  /** Decay the value itself (AdamW) instead of adding the decay to the gradient (Adam). */
  readonly decoupled: boolean;
}

export interface AdamUpdate {
  readonly value: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
}

/**
 * The update of PyTorch's Adam and AdamW. Without `decoupled` g ← g + weightDecay·p, with it
 * p ← p·(1 − lr·weightDecay); then m ← m + (1 − β₁)(g − m); v ← β₂·v + (1 − β₂)·g²;
 * p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
 */
export function adamUpdate(request: AdamUpdateRequest): AdamUpdate {
  const { value, gradient, moments, update, learningRate, epsilon, weightDecay, decoupled } = request;
  const [beta1, beta2] = request.betas;
  const result = tidy(() => {
    const g = decoupled || weightDecay === 0 ? gradient : add(gradient, mul(value, weightDecay));
    const first = moments === undefined ? mul(g, 1 - beta1) : add(moments.first, mul(sub(g, moments.first), 1 - beta1));
    const squared = mul(square(g), 1 - beta2);
    const second = moments === undefined ? squared : add(mul(moments.second, beta2), squared);
    const denominator = add(div(sqrt(second), Math.sqrt(1 - beta2 ** update)), epsilon);
    const change = mul(div(first, denominator), learningRate / (1 - beta1 ** update));
    const decayed = decoupled && weightDecay > 0 ? mul(value, 1 - learningRate * weightDecay) : value;
    return { value: sub(decayed, change), first, second };
  });
  dispose(gradient);
  if (moments !== undefined) dispose([moments.first, moments.second]);
  return result;
}
