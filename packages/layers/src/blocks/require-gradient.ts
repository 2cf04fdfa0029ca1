import { messageOf } from '@localgrad/core';
import { dispose, engine, tidy } from '@tensorflow/tfjs';
import type { LayerContext } from './layer-context.js';

/**
 * Requires that TensorFlow.js differentiates a layer, of which some have no gradient and the gradients of others fail. A backend
 * without kernels for it is an error of the step only, because such a model can still be evaluated there.
 *
 * @param differentiate runs the layer forward and backward, on one sample
 * @throws LocalgradError `invalid-option`
 */
export function requireGradient(context: LayerContext, differentiate: () => void): void {
  try {
    tidy(differentiate);
  } catch (error) {
    // TensorFlow.js keeps them when a gradient fails.
    for (const { saved } of engine().state.activeTape ?? []) dispose(saved ?? []);
    const reason = messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
    if (/not registered for backend/.test(reason)) return;
    throw context.unsupported(`cannot be trained; TensorFlow.js says: ${reason.replace(/\.$/, '')}`);
  }
}
