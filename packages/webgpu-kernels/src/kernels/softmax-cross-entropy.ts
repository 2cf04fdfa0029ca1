import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { isMissing, missing, missingBits } from '../missing.js';
import { runElementwise, runProgram, type WebGpuBackend } from '../program.js';

/** `isDefined`: the row has no NaN, its largest score is finite, and its label is a class. */
const rowSums = `
  let label = labels[row];
  var largest = logits[row * uniforms.classes];
  var isDefined = label >= 0 && label < uniforms.classes;
  for (var i = 0; i < uniforms.classes; i++) {
    let score = logits[row * uniforms.classes + i];
    if (isMissing(score)) { isDefined = false; }
    largest = max(largest, score);
  }
  if ((bitcast<u32>(largest) & 0x7fffffffu) >= 0x7f800000u) { isDefined = false; }
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
    integers: { classes, missingBits },
    numbers: { factor: weight / batch },
    declarations: isMissing,
    body: `
      let row = index / uniforms.classes;
      ${rowSums}
      let wanted = select(0.0, 1.0, index % uniforms.classes == label);
      let gradient = (exp(logits[index] - largest) / total - wanted) * uniforms.factor;
      result[index] = select(${missing}, gradient, isDefined);`,
  });
  const loss = runProgram<Scalar>(backend, {
    key: 'softmaxCrossEntropy loss',
    inputs,
    outputShape: [],
    integers: { classes, batch, missingBits },
    workgroups: 1,
    declarations: `${isMissing}
      var<workgroup> shares : array<f32, 64>;
      var<workgroup> undefinedRows : array<i32, 64>;`,
    body: `
      var share = 0.0;
      var undefinedRow = 0;
      for (var row = local; row < uniforms.batch; row += 64) {
        ${rowSums}
        if (isDefined) { share += log(total) + largest - logits[row * uniforms.classes + label]; }
        else { undefinedRow = 1; }
      }
      shares[local] = share;
      undefinedRows[local] = undefinedRow;
      workgroupBarrier();
      for (var half = 32; half > 0; half /= 2) {
        if (local < half) {
          shares[local] += shares[local + half];
          undefinedRows[local] += undefinedRows[local + half];
        }
        workgroupBarrier();
      }
      if (local == 0) { result[0] = select(${missing}, shares[0] / f32(uniforms.batch), undefinedRows[0] == 0); }`,
  });
  return { loss, gradient };
}
