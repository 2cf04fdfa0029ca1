import { multiplyAdd } from './lanes';
import { erfOf, exp } from './transcendentals';

const ROOT_HALF: f32 = 0.7071067811865476;
// 1/√(2π)
const DENSITY_AT_0: f32 = 0.3989422804014327;

// y = x·Φ(x) with the normal distribution's Φ, for elements start … end − 1.
export function gelu(x: usize, y: usize, start: i32, end: i32): void {
  let at = (<usize>start) << 2;
  const stop = (<usize>end) << 2;
  for (; at + 16 <= stop; at += 16) v128.store(y + at, value(v128.load(x + at)));
  for (; at < stop; at += 4) store<f32>(y + at, f32x4.extract_lane(value(v128.load32_splat(x + at)), 0));
}

// dx = dy·(Φ(x) + x·φ(x)) with the density φ, for elements start … end − 1. dx may be dy.
export function geluGradient(dy: usize, x: usize, dx: usize, start: i32, end: i32): void {
  let at = (<usize>start) << 2;
  const stop = (<usize>end) << 2;
  for (; at + 16 <= stop; at += 16) v128.store(dx + at, f32x4.mul(v128.load(dy + at), slope(v128.load(x + at))));
  for (; at < stop; at += 4) store<f32>(dx + at, load<f32>(dy + at) * f32x4.extract_lane(slope(v128.load32_splat(x + at)), 0));
}

// @ts-ignore: decorator
@inline
function value(x: v128): v128 {
  const v = f32x4.mul(x, f32x4.splat(ROOT_HALF));
  const square = f32x4.mul(v, v);
  return f32x4.mul(x, distribution(v, square, exp(f32x4.neg(square))));
}

// With v = x/√2, e^−v² is both the factor of the density and a part of erf(v).
// @ts-ignore: decorator
@inline
function slope(x: v128): v128 {
  const v = f32x4.mul(x, f32x4.splat(ROOT_HALF));
  const square = f32x4.mul(v, v);
  const power = exp(f32x4.neg(square));
  const density = f32x4.mul(f32x4.mul(power, f32x4.splat(DENSITY_AT_0)), x);
  return f32x4.add(distribution(v, square, power), density);
}

// Φ(x) = ½ + ½·erf(v)
// @ts-ignore: decorator
@inline
function distribution(v: v128, square: v128, power: v128): v128 {
  const half = f32x4.splat(0.5);
  return multiplyAdd(erfOf(v, square, power), half, half);
}
