import { replaceStockKernels } from '@localgrad/kernels';
import type { TensorInfo } from '@tensorflow/tfjs';
import { isMissing } from './missing.js';
import { runElementwise, type WebGpuBackend } from './program.js';

/** As in TensorFlow.js, except that NaN propagates; the stock kernels return 0 and Infinity for it. */
const functions: Readonly<Record<string, string>> = {
  Sigmoid: 'value = 1.0 / (1.0 + exp(-value));',
  Softplus: `
    let threshold = 13.942385; // −log ε − 2 of float32
    if (value < -threshold) { value = exp(value); }
    else if (value <= threshold) { value = log(exp(value) + 1.0); }`,
};

/** Replaces the TensorFlow.js sigmoid and softplus by versions that propagate NaN. Returns a function that restores them. */
export function registerStockOperations(backend: WebGpuBackend): () => void {
  const kernels = Object.entries(functions).map(([name, body]) => {
    const kernel = ({ inputs }: { inputs: { x: TensorInfo } }) =>
      runElementwise(backend, {
        key: name,
        inputs: { x: inputs.x as never },
        outputShape: inputs.x.shape,
        declarations: isMissing,
        body: `
          var value = x[index];
          if (isMissing(value)) { result[index] = value; return; }
          ${body}
          result[index] = value;`,
      });
    return [name, kernel] as const;
  });
  return replaceStockKernels('webgpu', Object.fromEntries(kernels));
}
