import type { Initializer } from '@localgrad/core';

/** He normal by fan-out for convolutions [kh, kw, in, out]: N(0, 2/(kh·kw·out)) (methods' reference code). */
export const heNormalFanOut: Initializer = (shape, random) => {
  const [rows = 1, columns = 1, , outputs = 1] = shape;
  const deviation = Math.sqrt(2 / (rows * columns * outputs));
  return fill(shape, () => deviation * random.normal());
};

/** PyTorch's default for dense layers and convolution biases, weight and bias alike: U(−1/√fanIn, 1/√fanIn). */
export function uniformFanIn(fanIn: number): Initializer {
  const bound = 1 / Math.sqrt(fanIn);
  return (shape, random) => fill(shape, () => bound * (2 * random.uniform() - 1));
}

/** N(0, deviation²). */
export function normal(deviation: number): Initializer {
  return (shape, random) => fill(shape, () => deviation * random.normal());
}

/** N(0, deviation²), redrawn outside of ±2: vision transformers' initial weights (PyTorch's `trunc_normal_`). */
export function truncatedNormal(deviation: number): Initializer {
  return (shape, random) =>
    fill(shape, () => {
      for (;;) {
        const value = deviation * random.normal();
        if (Math.abs(value) <= 2) return value;
      }
    });
}

/** Sets all values to `value`. */
export function constant(value: number): Initializer {
  return (shape) => fill(shape, () => value);
}

/** Sets all values to 0. */
export const zeros: Initializer = constant(0);
/** Sets all values to 1. */
export const ones: Initializer = constant(1);

function fill(shape: readonly number[], draw: () => number): Float32Array {
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  for (let index = 0; index < values.length; index++) values[index] = draw();
  return values;
}
