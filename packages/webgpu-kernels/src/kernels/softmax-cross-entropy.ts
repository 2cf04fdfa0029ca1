import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { runElementwise, runProgram, type WebGpuBackend } from '../program.js';

const rowSums = `
  var largest = logits[row * uniforms.classes];
  for (var i = 1; i < uniforms.classes; i++) { largest = max(largest, logits[row * uniforms.classes + i]); }
  var total = 0.0;
  for (var i = 0; i < uniforms.classes; i++) { total += exp(logits[row * uniforms.classes + i] - largest); }`;

export function softmaxCrossEntropy(
  backend: WebGpuBackend,
  logits: Tensor2D,
  labels: Tensor1D,
  weight: number,
): { loss: Scalar; gradient: Tensor2D } {
  const [batch, classes] = logits.shape;
  const inputs = { logits, labels };
  const gradient = runElementwise<Tensor2D>(backend, {
    key: 'softmaxCrossEntropy gradient',
    inputs,
    outputShape: [batch, classes],
    integers: { classes },
    numbers: { factor: weight / batch },
    body: `
      let row = index / uniforms.classes;
      ${rowSums}
      let wanted = select(0.0, 1.0, index % uniforms.classes == labels[row]);
      result[index] = (exp(logits[index] - largest) / total - wanted) * uniforms.factor;`,
  });
  const loss = runProgram<Scalar>(backend, {
    key: 'softmaxCrossEntropy loss',
    inputs,
    outputShape: [],
    integers: { classes, batch },
    workgroups: 1,
    declarations: 'var<workgroup> shares : array<f32, 64>;',
    body: `
      var share = 0.0;
      for (var row = local; row < uniforms.batch; row += 64) {
        ${rowSums}
        share += log(total) + largest - logits[row * uniforms.classes + labels[row]];
      }
      shares[local] = share;
      workgroupBarrier();
      for (var half = 32; half > 0; half /= 2) {
        if (local < half) { shares[local] += shares[local + half]; }
        workgroupBarrier();
      }
      if (local == 0) { result[0] = shares[0] / f32(uniforms.batch); }`,
  });
  return { loss, gradient };
}
