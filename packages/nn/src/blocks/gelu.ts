import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { add, erf, exp, mul, square, type Tensor4D } from '@tensorflow/tfjs';
import { parameterless } from './parameterless.js';

/** x·Φ(x) with the normal distribution's Φ: the exact GELU, as PyTorch's default. */
export function gelu(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    reads: { input: true, output: false },
    holdsCotangent: true,
    apply: (x) => inTurn(normalDistribution(x), (phi) => mul(x, phi)),
    pullBack: (dy, x) => {
      const density = inTurn(
        square(x),
        (t) => mul(t, -0.5),
        (t) => exp(t),
        (t) => mul(t, 1 / Math.sqrt(2 * Math.PI)),
        (t) => mul(t, x),
      );
      const slope = inTurn(normalDistribution(x), (phi) => add<Tensor4D>(phi, density));
      density.dispose();
      const dx = mul<Tensor4D>(dy, slope);
      slope.dispose();
      dy.dispose();
      return dx;
    },
    // A constant factor is a tensor, too.
    applyPeakBytes: (batchSize) => 2 * bytesOf(shape, batchSize) + 4,
    pullBackPeakBytes: (batchSize) => 3 * bytesOf(shape, batchSize) + 4,
  });
}

/** Φ(x) = ½ + ½·erf(x/√2) */
function normalDistribution(x: Tensor4D): Tensor4D {
  return inTurn(
    mul<Tensor4D>(x, Math.SQRT1_2),
    (t) => erf(t),
    (t) => mul(t, 0.5),
    (t) => add(t, 0.5),
  );
}

/** Applies functions in turn and disposes every argument, so that two tensors are alive at a time. Consumes x. */
function inTurn(x: Tensor4D, ...functions: readonly ((t: Tensor4D) => Tensor4D)[]): Tensor4D {
  let result = x;
  for (const apply of functions) {
    const next = apply(result);
    result.dispose();
    result = next;
  }
  return result;
}
