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
