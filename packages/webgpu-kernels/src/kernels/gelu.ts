import type { Tensor4D } from '@tensorflow/tfjs';
import { runElementwise, type WebGpuBackend } from '../program.js';
import { isUnshared, runInPlace } from '../program-many.js';

/**
 * WGSL: Φ of the normal distribution, ½ + ½·erf(v) with v = x/√2, from e^−v². erf is Abramowitz and Stegun (1964), 7.1.26, with an error
 * of 1.5·10⁻⁷, which near 0 is too much of the result: below ½ the Taylor polynomial of degree 13.
 */
const distribution = `
  fn distribution(v : f32, power : f32) -> f32 {
    let square = v * v;
    if (abs(v) < 0.5) {
      var q = fma(1.0 / 9360.0, square, -1.0 / 1320.0);
      q = fma(q, square, 1.0 / 216.0);
      q = fma(q, square, -1.0 / 42.0);
      q = fma(q, square, 0.1);
      q = fma(q, square, -1.0 / 3.0);
      q = fma(q, square, 1.0);
      return fma(q * v, 0.5641895835477563, 0.5);
    }
    let t = 1.0 / fma(abs(v), 0.3275911, 1.0);
    var p = fma(1.061405429, t, -1.453152027);
    p = fma(p, t, 1.421413741);
    p = fma(p, t, -0.284496736);
    p = fma(p, t, 0.254829592);
    let tail = 0.5 * p * t * power;
    return select(1.0 - tail, tail, v < 0.0);
  }`;

/** x·Φ(x) with the normal distribution's Φ. */
export function gelu(backend: WebGpuBackend, x: Tensor4D): Tensor4D {
  return runElementwise<Tensor4D>(backend, {
    key: 'gelu',
    inputs: { x },
    outputShape: x.shape,
    declarations: distribution,
    body: `
      let v = x[index] * 0.7071067811865476;
      result[index] = x[index] * distribution(v, exp(-v * v));`,
  });
}

/** dy·(Φ(x) + x·φ(x)) with the density φ. Consumes dy, and writes over it unless other handles share its numbers. */
export function geluGradient(backend: WebGpuBackend, dy: Tensor4D, x: Tensor4D): Tensor4D {
  const shader = {
    declarations: distribution,
    body: `
      let v = x[index] * 0.7071067811865476;
      let power = exp(-v * v);
      let slope = distribution(v, power) + power * 0.3989422804014327 * x[index];`,
  };
  let dx: Tensor4D;
  if (isUnshared(backend, [dy])) {
    runInPlace(backend, {
      key: 'geluGradient in place',
      inputs: { x },
      changed: { dy },
      elements: dy.size,
      declarations: shader.declarations,
      body: `${shader.body}
        dy[index] *= slope;`,
    });
    dx = dy.clone();
  } else {
    dx = runElementwise<Tensor4D>(backend, {
      key: 'geluGradient',
      inputs: { dy, x },
      outputShape: dy.shape,
      declarations: shader.declarations,
      body: `${shader.body}
        result[index] = dy[index] * slope;`,
    });
  }
  dy.dispose();
  return dx;
}
