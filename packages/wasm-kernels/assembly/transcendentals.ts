import { multiplyAdd } from './lanes';

// y = e^x for elements start … end − 1. y may be x.
export function exponential(x: usize, y: usize, start: i32, end: i32): void {
  let at = (<usize>start) << 2;
  const stop = (<usize>end) << 2;
  for (; at + 16 <= stop; at += 16) v128.store(y + at, exp(v128.load(x + at)));
  for (; at < stop; at += 4) store<f32>(y + at, f32x4.extract_lane(exp(v128.load32_splat(x + at)), 0));
}

// y = erf(x) for elements start … end − 1. y may be x.
export function errorFunction(x: usize, y: usize, start: i32, end: i32): void {
  let at = (<usize>start) << 2;
  const stop = (<usize>end) << 2;
  for (; at + 16 <= stop; at += 16) v128.store(y + at, erf(v128.load(x + at)));
  for (; at < stop; at += 4) store<f32>(y + at, f32x4.extract_lane(erf(v128.load32_splat(x + at)), 0));
}

// e^x = 2ⁿ · e^r with |r| ≤ ½·ln 2, e^r by its Taylor polynomial of degree 7, whose error is 6·10⁻⁹. ln 2 is subtracted in two parts, the
// first of few bits, so that n times it is exact. 2ⁿ is multiplied in two factors: results may be infinite or subnormal.
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  const v = f32x4.max(f32x4.min(x, f32x4.splat(89)), f32x4.splat(-104));
  const n = f32x4.nearest(f32x4.mul(v, f32x4.splat(1.4426950408889634)));
  const r = f32x4.sub(f32x4.sub(v, f32x4.mul(n, f32x4.splat(0.693359375))), f32x4.mul(n, f32x4.splat(-2.1219444005469058e-4)));
  let p = f32x4.splat(1.0 / 5040.0);
  p = multiplyAdd(p, r, f32x4.splat(1.0 / 720.0));
  p = multiplyAdd(p, r, f32x4.splat(1.0 / 120.0));
  p = multiplyAdd(p, r, f32x4.splat(1.0 / 24.0));
  p = multiplyAdd(p, r, f32x4.splat(1.0 / 6.0));
  p = multiplyAdd(p, r, f32x4.splat(0.5));
  p = f32x4.add(multiplyAdd(f32x4.mul(r, r), p, r), f32x4.splat(1));
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(p, power(half)), power(i32x4.sub(whole, half)));
}

// 2ⁿ for −126 ≤ n ≤ 127
// @ts-ignore: decorator
@inline
function power(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

// Abramowitz and Stegun (1964), 7.1.26, with an error of 1.5·10⁻⁷, which near 0 is too much of the result: below ½ the Taylor polynomial
// of degree 13.
// @ts-ignore: decorator
@inline
function erf(x: v128): v128 {
  const square = f32x4.mul(x, x);
  return erfOf(x, square, exp(f32x4.neg(square)));
}

// erf(x) from x² and e^−x²
// @ts-ignore: decorator
@inline
export function erfOf(x: v128, square: v128, power: v128): v128 {
  const magnitude = f32x4.abs(x);
  const t = f32x4.div(f32x4.splat(1), multiplyAdd(magnitude, f32x4.splat(0.3275911), f32x4.splat(1)));
  let p = f32x4.splat(1.061405429);
  p = multiplyAdd(p, t, f32x4.splat(-1.453152027));
  p = multiplyAdd(p, t, f32x4.splat(1.421413741));
  p = multiplyAdd(p, t, f32x4.splat(-0.284496736));
  p = multiplyAdd(p, t, f32x4.splat(0.254829592));
  const far = f32x4.sub(f32x4.splat(1), f32x4.mul(f32x4.mul(p, t), power));
  const sign = v128.and(x, i32x4.splat(0x80000000));
  let q = f32x4.splat(1.0 / 9360.0);
  q = multiplyAdd(q, square, f32x4.splat(-1.0 / 1320.0));
  q = multiplyAdd(q, square, f32x4.splat(1.0 / 216.0));
  q = multiplyAdd(q, square, f32x4.splat(-1.0 / 42.0));
  q = multiplyAdd(q, square, f32x4.splat(0.1));
  q = multiplyAdd(q, square, f32x4.splat(-1.0 / 3.0));
  q = multiplyAdd(q, square, f32x4.splat(1));
  const near = f32x4.mul(f32x4.mul(q, x), f32x4.splat(1.1283791670955126));
  return v128.bitselect(near, v128.or(far, sign), f32x4.lt(magnitude, f32x4.splat(0.5)));
}
