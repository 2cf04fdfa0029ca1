import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { isMissing, missing, missingBits } from '../missing.js';
import type { WebGpuBackend } from '../program.js';
import { runProgramMany } from '../program-many.js';

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
  const workgroups = Math.ceil((batch * classes) / 64);
  const { gradient, loss } = runProgramMany(backend, {
    key: 'softmaxCrossEntropy',
    inputs: { logits, labels },
    outputs: { gradient: [batch, classes], loss: [] },
    integers: { classes, batch, missingBits },
    numbers: { factor: weight / batch },
    workgroups,
    declarations: `${isMissing}
      var<workgroup> shares : array<f32, 64>;
      var<workgroup> undefinedRows : array<i32, 64>;
      struct Row { label : i32, largest : f32, total : f32, isDefined : bool }
      fn sumsOf(row : i32) -> Row {${rowSums}
        return Row(label, largest, total, isDefined);
      }`,
    // The first workgroup also adds up the loss.
    body: `
      if (index < uniforms.batch * uniforms.classes) {
        let sums = sumsOf(index / uniforms.classes);
        let wanted = select(0.0, 1.0, index % uniforms.classes == sums.label);
        let value = (exp(logits[index] - sums.largest) / sums.total - wanted) * uniforms.factor;
        gradient[index] = select(${missing}, value, sums.isDefined);
      }
      var share = 0.0;
      var undefinedRow = 0;
      if (group == 0) {
        for (var row = local; row < uniforms.batch; row += 64) {
          let sums = sumsOf(row);
          if (sums.isDefined) {
            share += log(sums.total) + sums.largest - logits[row * uniforms.classes + sums.label];
          } else {
            undefinedRow = 1;
          }
        }
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
      if (index == 0) { loss[0] = select(${missing}, shares[0] / f32(uniforms.batch), undefinedRows[0] == 0); }`,
  });
  return { loss: loss as Scalar, gradient: gradient as Tensor2D };
}
