import { addToDoubles, multiplyAdd } from './lanes';

// @ts-ignore: decorator
@inline
function lanes(value: f32): v128 {
  return f32x4.splat(value);
}

// exp(x) for x ≤ 0, at least the smallest normal number. Range reduction and polynomial of Cephes' expf, one unit in the last place.
// @ts-ignore: decorator
@inline
function exponential(x: v128): v128 {
  const bounded = f32x4.max(x, lanes(-87.33));
  const n = f32x4.nearest(f32x4.mul(bounded, lanes(1.44269504)));
  let r = multiplyAdd(n, lanes(-0.693359375), bounded);
  r = multiplyAdd(n, lanes(2.1219444e-4), r);
  let y = multiplyAdd(lanes(1.9875691500e-4), r, lanes(1.3981999507e-3));
  y = multiplyAdd(y, r, lanes(8.3334519073e-3));
  y = multiplyAdd(y, r, lanes(4.1665795894e-2));
  y = multiplyAdd(y, r, lanes(1.6666665459e-1));
  y = multiplyAdd(y, r, lanes(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), lanes(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(y, power);
}

// log(1 + e) for 0 ≤ e ≤ 1. Polynomial of Cephes' logf, which needs no sum 1 + e, so that small e keep their digits.
// @ts-ignore: decorator
@inline
function logarithm(e: v128): v128 {
  const isLarge = f32x4.gt(e, lanes(0.41421356));
  const x = v128.bitselect(f32x4.mul(f32x4.sub(e, lanes(1)), lanes(0.5)), e, isLarge);
  const halves = v128.and(lanes(1), isLarge);
  const z = f32x4.mul(x, x);
  let y = multiplyAdd(lanes(7.0376836292e-2), x, lanes(-1.1514610310e-1));
  y = multiplyAdd(y, x, lanes(1.1676998740e-1));
  y = multiplyAdd(y, x, lanes(-1.2420140846e-1));
  y = multiplyAdd(y, x, lanes(1.4249322787e-1));
  y = multiplyAdd(y, x, lanes(-1.6668057665e-1));
  y = multiplyAdd(y, x, lanes(2.0000714765e-1));
  y = multiplyAdd(y, x, lanes(-2.4999993993e-1));
  y = multiplyAdd(y, x, lanes(3.3333331174e-1));
  y = f32x4.mul(f32x4.mul(y, x), z);
  y = multiplyAdd(halves, lanes(-2.1219444e-4), y);
  y = multiplyAdd(z, lanes(-0.5), y);
  return multiplyAdd(halves, lanes(0.693359375), f32x4.add(x, y));
}

// −t·log σ(z) − (1 − t)·log(1 − σ(z)) with logarithms ≥ −100; `e` is exp(−|z|).
// @ts-ignore: decorator
@inline
function lossOf(z: v128, t: v128, e: v128): v128 {
  const l = logarithm(e), zero = lanes(0), most = lanes(100);
  const on = f32x4.min(f32x4.add(f32x4.max(f32x4.neg(z), zero), l), most);
  const off = f32x4.min(f32x4.add(f32x4.max(z, zero), l), most);
  return f32x4.add(f32x4.mul(t, on), f32x4.mul(f32x4.sub(lanes(1), t), off));
}

// factor · (σ(z) − t)
// @ts-ignore: decorator
@inline
function gradientOf(z: v128, t: v128, e: v128, factor: v128): v128 {
  const numerator = v128.bitselect(e, lanes(1), f32x4.lt(z, lanes(0)));
  return f32x4.mul(f32x4.sub(f32x4.div(numerator, f32x4.add(lanes(1), e)), t), factor);
}

// Binary cross-entropy from logits of elements start … end − 1: its gradient, and its sum as four doubles at `sums`.
export function binaryCrossEntropy(
  logits: usize, targets: usize, gradient: usize, sums: usize, start: i32, end: i32, weight: f32,
): void {
  const factor = lanes(weight);
  memory.fill(sums, 0, 32);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = (<usize>i) << 2;
    const z = v128.load(logits + at), t = v128.load(targets + at);
    const e = exponential(f32x4.neg(f32x4.abs(z)));
    addToDoubles(sums, lossOf(z, t, e));
    v128.store(gradient + at, gradientOf(z, t, e, factor));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    const z = v128.load32_splat(logits + at), t = v128.load32_splat(targets + at);
    const e = exponential(f32x4.neg(f32x4.abs(z)));
    store<f64>(sums, load<f64>(sums) + <f64>f32x4.extract_lane(lossOf(z, t, e), 0));
    store<f32>(gradient + at, f32x4.extract_lane(gradientOf(z, t, e, factor), 0));
  }
}
