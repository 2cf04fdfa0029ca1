import type { SgdUpdateRequest } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';
import { runElementwise, type WebGpuBackend } from '../program.js';

export function accumulate<T extends Tensor>(backend: WebGpuBackend, a: T, b: T): T {
  const total = runElementwise<T>(backend, {
    key: 'accumulate',
    inputs: { a, b },
    outputShape: a.shape,
    body: 'result[index] = a[index] + b[index];',
  });
  a.dispose();
  return total;
}

export function sgdUpdate(backend: WebGpuBackend, request: SgdUpdateRequest): { value: Tensor; velocity: Tensor } {
  const { value, gradient, velocity, learningRate, momentum, nesterov, weightDecay } = request;
  const decayed = 'gradient[index] + uniforms.weightDecay * value[index]';
  const nextVelocity = runElementwise(backend, {
    key: `sgd velocity ${velocity === undefined}`,
    inputs: { value, gradient, ...(velocity === undefined ? {} : { velocity }) },
    outputShape: value.shape,
    numbers: { momentum, weightDecay },
    body: `result[index] = ${velocity === undefined ? '' : 'uniforms.momentum * velocity[index] + '}${decayed};`,
  });
  const updated = runElementwise(backend, {
    key: `sgd value ${nesterov}`,
    inputs: nesterov ? { value, velocity: nextVelocity, gradient } : { value, velocity: nextVelocity },
    outputShape: value.shape,
    numbers: { learningRate, momentum, weightDecay },
    body: `
      let direction = ${nesterov ? `${decayed} + uniforms.momentum * velocity[index]` : 'velocity[index]'};
      result[index] = value[index] - uniforms.learningRate * direction;`,
  });
  gradient.dispose();
  velocity?.dispose();
  return { value: updated, velocity: nextVelocity };
}
