import type { Shape4 } from '@localgrad/kernels';
import { expect } from 'vitest';

/** Values from a fixed seed, so that failures are reproducible. */
export function noise(size: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  });
}

/** Plain convolution in float64: the reference for all tests below. */
export function convolve(
  visit: (x: number, w: number, y: number) => void,
  [n, h, w, ci]: Shape4,
  [kh, kw, , co]: Shape4,
  [, oh, ow]: Shape4,
  stride: number,
  padding: number,
): void {
  for (let b = 0; b < n; b++)
    for (let r = 0; r < oh; r++)
      for (let c = 0; c < ow; c++)
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) {
            const ih = r * stride + i - padding;
            const iw = c * stride + j - padding;
            if (ih < 0 || ih >= h || iw < 0 || iw >= w) continue;
            for (let p = 0; p < ci; p++)
              for (let q = 0; q < co; q++)
                visit(
                  ((b * h + ih) * w + iw) * ci + p,
                  ((i * kw + j) * ci + p) * co + q,
                  ((b * oh + r) * ow + c) * co + q,
                );
          }
}

export function closeTo(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i] as number));
  let worst = 0;
  for (let i = 0; i < expected.length; i++)
    worst = Math.max(worst, Math.abs((actual[i] as number) - (expected[i] as number)));
  expect(worst / (largest || 1)).toBeLessThanOrEqual(tolerance);
}

/** Batch norm with its gradients in float64. */
export function referenceBatchNorm(
  xs: Float32Array,
  residual: Float32Array | undefined,
  ds: Float32Array,
  gs: Float32Array,
  bs: Float32Array,
  channels: number,
  epsilon: number,
  relu: boolean,
) {
  const rows = xs.length / channels;
  const zeros = () => new Float64Array(channels);
  const [mean, variance, dScale, dShift] = [zeros(), zeros(), zeros(), zeros()] as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const add = (target: Float64Array, index: number, value: number) => {
    target[index] = (target[index] as number) + value;
  };
  for (const [i, value] of xs.entries()) add(mean, i % channels, value / rows);
  for (const [i, value] of xs.entries())
    add(variance, i % channels, (value - (mean[i % channels] as number)) ** 2 / rows);
  const inverse = variance.map((value) => 1 / Math.sqrt(value + epsilon));
  const hat = Float64Array.from(
    xs,
    (value, i) => (value - (mean[i % channels] as number)) * (inverse[i % channels] as number),
  );
  const y = hat.map((value, i) => {
    const sum = value * (gs[i % channels] as number) + (bs[i % channels] as number) + (residual?.[i] ?? 0);
    return relu ? Math.max(0, sum) : sum;
  });
  const masked = Float64Array.from(ds, (value, i) => (relu && !((y[i] as number) > 0) ? 0 : value));
  masked.forEach((value, i) => {
    add(dShift, i % channels, value);
    add(dScale, i % channels, value * (hat[i] as number));
  });
  const dx = masked.map((value, i) => {
    const c = i % channels;
    const inner = value - (dShift[c] as number) / rows - ((hat[i] as number) * (dScale[c] as number)) / rows;
    return (gs[c] as number) * (inverse[c] as number) * inner;
  });
  return { mean, variance, y, masked, dx, dScale, dShift };
}
