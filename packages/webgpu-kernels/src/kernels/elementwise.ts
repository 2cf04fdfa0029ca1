import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
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

export function reluGradient(backend: WebGpuBackend, dy: Tensor4D, output: Tensor4D, slope: number): Tensor4D {
  return runElementwise<Tensor4D>(backend, {
    key: `reluGradient ${slope}`,
    inputs: { dy, output },
    outputShape: dy.shape,
    body: `result[index] = dy[index] * select(f32(${slope}), 1.0, output[index] > 0.0);`,
  });
}
