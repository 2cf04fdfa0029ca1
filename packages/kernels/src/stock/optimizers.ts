import * as tf from '@tensorflow/tfjs';
import type { AdamUpdate, AdamUpdateRequest, BlendRequest, SgdUpdate, SgdUpdateRequest } from '../update-requests.js';

export const sgdUpdateAll = (requests: readonly SgdUpdateRequest[]) => requests.map(sgdUpdate);
export const adamUpdateAll = (requests: readonly AdamUpdateRequest[]) => requests.map(adamUpdate);
export const blendAll = (requests: readonly BlendRequest[]) => requests.map(blend);

export function blend<Kind extends tf.Tensor>({
  average,
  value,
  kept,
  added,
}: BlendRequest & { readonly average: Kind }): Kind {
  return tf.tidy(() => tf.add<Kind>(tf.mul(average, kept), tf.mul(value, added)));
}

function sgdUpdate(request: SgdUpdateRequest): SgdUpdate {
  const { value, gradient, velocity, learningRate, momentum, nesterov, weightDecay } = request;
  const result = tf.tidy(() => {
    const decayed = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(value, weightDecay));
    const next = momentum === 0 ? undefined : movedVelocity(velocity, momentum, decayed);
    const direction = nesterov && next !== undefined ? tf.add(decayed, tf.mul(next, momentum)) : (next ?? decayed);
    return { value: tf.sub(value, tf.mul(direction, learningRate)), velocity: next };
  });
  gradient.dispose();
  velocity?.dispose();
  return result;
}

function movedVelocity(velocity: tf.Tensor | undefined, momentum: number, decayed: tf.Tensor): tf.Tensor {
  return velocity === undefined ? tf.clone(decayed) : tf.add(tf.mul(velocity, momentum), decayed);
}

function adamUpdate(request: AdamUpdateRequest): AdamUpdate {
  const { value, gradient, moments, update, learningRate, epsilon, weightDecay, decoupled } = request;
  const [beta1, beta2] = request.betas;
  const result = tf.tidy(() => {
    const g = decoupled || weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(value, weightDecay));
    const first =
      moments === undefined ? tf.mul(g, 1 - beta1) : tf.add(moments.first, tf.mul(tf.sub(g, moments.first), 1 - beta1));
    const squared = tf.mul(tf.square(g), 1 - beta2);
    const second = moments === undefined ? squared : tf.add(tf.mul(moments.second, beta2), squared);
    const denominator = tf.add(tf.div(tf.sqrt(second), Math.sqrt(1 - beta2 ** update)), epsilon);
    const change = tf.mul(tf.div(first, denominator), learningRate / (1 - beta1 ** update));
    const decayed = decoupled && weightDecay > 0 ? tf.mul(value, 1 - learningRate * weightDecay) : value;
    return { value: tf.sub(decayed, change), first, second };
  });
  gradient.dispose();
  if (moments !== undefined) tf.dispose([moments.first, moments.second]);
  return result;
}
