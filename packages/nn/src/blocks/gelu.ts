import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { add, erf, exp, mul, square, type Tensor4D } from '@tensorflow/tfjs';
import { parameterless } from './parameterless.js';
import { savesMap } from './saved-maps.js';

/** x·Φ(x) with the normal distribution's Φ: the exact GELU, as PyTorch's default. */
export function gelu(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    reads: { input: true, output: false },
    // The kernel writes the gradient over dy.
    holdsCotangent: () => !savesMap('geluGradient'),
    apply: (x) => currentKernels().gelu?.(x) ?? inTurn(normalDistribution(x), (phi) => mul(x, phi)),
    pullBack: (dy, x) => currentKernels().geluGradient?.(dy, x) ?? composedGradient(dy, x),
    // A constant factor of a composition is a tensor, too.
    applyPeakBytes: (batchSize) => bytesOf(shape, batchSize) + (savesMap('gelu') ? 0 : bytesOf(shape, batchSize) + 4),
    pullBackPeakBytes: (batchSize) => (savesMap('geluGradient') ? 0 : 3 * bytesOf(shape, batchSize) + 4),
  });
}

/** Consumes dy; borrows x. */
function composedGradient(dy: Tensor4D, x: Tensor4D): Tensor4D {
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
