import { poolingReplacements, replaceStockKernels } from '@localgrad/kernels';
import { cast, getKernel, type Tensor, type TensorInfo, tidy, util } from '@tensorflow/tfjs';
import { addShares } from './add-shares.js';
import { poolingKernels } from './kernels/pooling.js';
import { isMissing, minusInfinityBits, missing, missingBits } from './missing.js';
import { runElementwise, runProgram, type WebGpuBackend } from './program.js';
import { productKernels } from './stock-products.js';

/** WGSL bodies for values other than NaN, as in TensorFlow.js. */
const functions: Readonly<Record<string, string>> = {
  Exp: 'value = exp(value);',
  // Shaders return a finite number for log(0).
  Log: `
    if (value == 0.0) { value = bitcast<f32>(uniforms.minusInfinityBits); }
    else if (value < 0.0) { value = ${missing}; }
    else { value = log(value); }`,
  Relu6: 'value = clamp(value, 0.0, 6.0);',
  Elu: 'if (value < 0.0) { value = exp(value) - 1.0; }',
  Selu: 'value = select(1.0507009873554805 * value, 1.7580993408473768 * (exp(value) - 1.0), value < 0.0);',
  Sigmoid: 'value = 1.0 / (1.0 + exp(-value));',
  Softplus: `
    let threshold = 13.942385; // −log ε − 2 of float32
    if (value < -threshold) { value = exp(value); }
    else if (value <= threshold) { value = log(exp(value) + 1.0); }`,
};

/** Along the last axis, one workgroup per row; a row with NaN or +∞, or of −∞ alone, becomes NaN. */
function softmax(backend: WebGpuBackend, logits: Tensor): TensorInfo {
  const classes = logits.shape.at(-1) ?? 1;
  return runProgram(backend, {
    key: 'softmax',
    inputs: { logits },
    outputShape: logits.shape,
    integers: { rows: logits.size / Math.max(1, classes), classes, missingBits },
    workgroups: logits.size / Math.max(1, classes),
    declarations: `${isMissing}
      var<workgroup> shares : array<f32, 64>;
      var<workgroup> missingScores : array<i32, 64>;`,
    body: `
      let start = group * uniforms.classes;
      var largest = logits[min(start, uniforms.rows * uniforms.classes - 1)];
      var missingScore = 0;
      if (group < uniforms.rows) {
        for (var i = local; i < uniforms.classes; i += 64) {
          let score = logits[start + i];
          if (isMissing(score)) { missingScore = 1; }
          largest = max(largest, score);
        }
      }
      shares[local] = largest;
      missingScores[local] = missingScore;
      workgroupBarrier();
      for (var half = 32; half > 0; half /= 2) {
        if (local < half) {
          shares[local] = max(shares[local], shares[local + half]);
          missingScores[local] += missingScores[local + half];
        }
        workgroupBarrier();
      }
      largest = shares[0];
      let isDefined = missingScores[0] == 0 && (bitcast<u32>(largest) & 0x7fffffffu) < 0x7f800000u;
      workgroupBarrier();
      var share = 0.0;
      if (group < uniforms.rows) {
        for (var i = local; i < uniforms.classes; i += 64) { share += exp(logits[start + i] - largest); }
      }
      ${addShares()}
      if (group < uniforms.rows) {
        for (var i = local; i < uniforms.classes; i += 64) {
          result[start + i] = select(${missing}, exp(logits[start + i] - largest) / shares[0], isDefined);
        }
      }`,
  });
}

interface CastCall {
  readonly inputs: { readonly x: TensorInfo };
  readonly attrs: { readonly dtype: string };
}

/**
 * Integers as float32 get a buffer of their own. TensorFlow.js only relabels theirs, which its own shaders convert as they read it; to
 * those of this package, it would not compile, or be the bits of other numbers.
 */
function castTo(backend: WebGpuBackend): (call: CastCall) => TensorInfo {
  const stock = getKernel('Cast', 'webgpu').kernelFunc as unknown as (call: CastCall) => TensorInfo;
  return (call) => {
    const { x } = call.inputs;
    const isRelabeled = call.attrs.dtype === 'float32' && (x.dtype === 'int32' || x.dtype === 'bool');
    if (!isRelabeled || util.sizeFromShape(x.shape) === 0) return stock(call);
    return runElementwise(backend, {
      key: 'integers as float32',
      inputs: { x: x as Tensor },
      outputShape: x.shape,
      body: 'result[index] = f32(x[index]);',
    });
  };
}

/** Through float32, the only type of the shaders: others end the backend. As on the cpu backend, only `exp` of integers is float32. */
function ofIntegers(name: string, x: Tensor, compute: (x: Tensor) => Tensor): Tensor {
  return tidy(() => {
    const result = compute(cast(x, 'float32'));
    return name === 'Exp' ? result : cast(cast(result, 'int32'), x.dtype);
  });
}

/**
 * Replaces kernels of TensorFlow.js that return 0, infinity or other numbers for NaN by versions that propagate it, and those of
 * products and pooling that are wrong or end the backend for some shapes.
 * `tf.logSoftmax` calls the logarithm. Returns a function that restores them.
 */
export function registerStockOperations(backend: WebGpuBackend): () => void {
  const kernels = Object.entries(functions).map(([name, body]) => {
    const compute = (x: Tensor) =>
      runElementwise(backend, {
        key: name,
        inputs: { x },
        outputShape: x.shape,
        integers: { missingBits, minusInfinityBits },
        declarations: isMissing,
        body: `
          var value = x[index];
          if (isMissing(value)) { result[index] = value; return; }
          ${body}
          result[index] = value;`,
      });
    const kernel = ({ inputs }: { inputs: { x: TensorInfo } }) => {
      const x = inputs.x as Tensor;
      return x.dtype === 'float32' ? compute(x) : ofIntegers(name, x, compute);
    };
    return [name, kernel] as const;
  });
  return replaceStockKernels('webgpu', {
    ...Object.fromEntries(kernels),
    ...productKernels(),
    ...poolingReplacements('webgpu', poolingKernels(backend)),
    Cast: castTo(backend),
    Softmax: ({ inputs }: { inputs: { logits: TensorInfo } }) => softmax(backend, inputs.logits as never),
  });
}
