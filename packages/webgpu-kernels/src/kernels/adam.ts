import type { AdamUpdate, AdamUpdateRequest } from '@localgrad/kernels';
import { runElementwise, type WebGpuBackend } from '../program.js';

export function adamUpdate(backend: WebGpuBackend, request: AdamUpdateRequest): AdamUpdate {
  const { value, gradient, moments, update, learningRate, epsilon, weightDecay, decoupled } = request;
  const [beta1, beta2] = request.betas;
  const outputShape = value.shape;
  const isFirst = moments === undefined;
  const decayed = 'let g = gradient[index] + uniforms.decay * value[index];';
  const decay = decoupled ? 0 : weightDecay;
  const first = runElementwise(backend, {
    key: `adam first ${isFirst}`,
    inputs: isFirst ? { value, gradient } : { value, gradient, moment: moments.first },
    outputShape,
    numbers: { decay, share: 1 - beta1 },
    body: `${decayed}
      result[index] = ${isFirst ? 'g * uniforms.share' : 'moment[index] + uniforms.share * (g - moment[index])'};`,
  });
  const second = runElementwise(backend, {
    key: `adam second ${isFirst}`,
    inputs: isFirst ? { value, gradient } : { value, gradient, moment: moments.second },
    outputShape,
    numbers: { decay, share: 1 - beta2, kept: beta2 },
    body: `${decayed}
      result[index] = ${isFirst ? '' : 'uniforms.kept * moment[index] + '}uniforms.share * g * g;`,
  });
  const next = runElementwise(backend, {
    key: 'adam value',
    inputs: { value, first, second },
    outputShape,
    numbers: {
      ...{ rate: learningRate / (1 - beta1 ** update), inverseRoot: 1 / Math.sqrt(1 - beta2 ** update), epsilon },
      kept: decoupled ? 1 - learningRate * weightDecay : 1,
    },
    body: `
      let ratio = first[index] / (sqrt(second[index]) * uniforms.inverseRoot + uniforms.epsilon);
      result[index] = uniforms.kept * value[index] - uniforms.rate * ratio;`,
  });
  gradient.dispose();
  moments?.first.dispose();
  moments?.second.dispose();
  return { value: next, first, second };
}
