// Compares every training kernel of a backend with stock TensorFlow.js on plain JavaScript:
//   node numerics.js webgpu

import { selectBackend } from '@localgrad/backends';
import { currentKernels, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { drawInputs, type KernelCase } from '../../packages/testing/src/kernels/kernel-case.js';
import { kernelCases } from '../../packages/testing/src/kernels/kernel-cases.js';
import { relativeError } from '../../packages/testing/src/kernels/relative-error.js';

const tolerance = 1e-4;

async function results(kernels: TrainingKernels, row: KernelCase): Promise<Float32Array[]> {
  const inputs = drawInputs(row);
  const values: Float32Array[] = [];
  for (const tensor of row.run(kernels, inputs)) values.push(Float32Array.from(await tensor.data()));
  return values;
}

tf.enableProdMode();
const [name = 'webgpu'] = process.argv.slice(2);
await selectBackend('cpu');
const expected: Float32Array[][] = [];
for (const row of kernelCases) expected.push(await results(stockKernels, row));
const backend = await selectBackend(name);
const worst = new Map<string, number>();
for (const [index, row] of kernelCases.entries()) {
  const found = await results(currentKernels(), row);
  for (const [part, values] of (expected[index] ?? []).entries()) {
    const error = relativeError(found[part] ?? [], values);
    worst.set(row.kernel, Math.max(worst.get(row.kernel) ?? 0, error));
  }
}
console.log(`${kernelCases.length} cases on '${name}', ${backend.device}`);
for (const [kernel, error] of worst)
  console.log(`${error <= tolerance ? '✓' : '✗'} ${kernel.padEnd(28)} ${error.toExponential(1)}`);
process.exit([...worst.values()].every((error) => error <= tolerance) ? 0 : 1);
