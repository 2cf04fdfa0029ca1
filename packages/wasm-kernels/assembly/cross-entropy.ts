import { addToDoubles, largestOf, multiplyAdd } from './lanes';
import { exp } from './transcendentals';

// @ts-ignore: decorator
@inline
function lanes(value: f32): v128 {
  return f32x4.splat(value);
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
    const e = exp(f32x4.neg(f32x4.abs(z)));
    addToDoubles(sums, lossOf(z, t, e));
    v128.store(gradient + at, gradientOf(z, t, e, factor));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    const z = v128.load32_splat(logits + at), t = v128.load32_splat(targets + at);
    const e = exp(f32x4.neg(f32x4.abs(z)));
    store<f64>(sums, load<f64>(sums) + <f64>f32x4.extract_lane(lossOf(z, t, e), 0));
    store<f32>(gradient + at, f32x4.extract_lane(gradientOf(z, t, e, factor), 0));
  }
}

// Cross-entropy of rows start … end − 1 with their labels, from logits of `classes` columns: weight × its gradient, and the sum of the losses
// as a double at `sum`. The gradient of the label is that of the other classes, negated: 1 − p would lose the digits of a small one, as a sum of all of them would.
export function softmaxCrossEntropy(
  logits: usize, labels: usize, gradient: usize, sum: usize, start: i32, end: i32, classes: i32, weight: f32,
): void {
  const stride = (<usize>classes) << 2;
  const whole = (<usize>(classes & -4)) << 2;
  let losses: f64 = 0;
  for (let row = <usize>start; row < <usize>end; row++) {
    const p = logits + row * stride, g = gradient + row * stride;
    const label = (<usize>load<i32>(labels + (row << 2))) << 2;
    const largest = largestOf(p, stride);
    const most = lanes(largest);
    let total: f64 = 0;
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const powers = exp(f32x4.sub(v128.load(p + at), most));
      v128.store(g + at, powers);
      total += <f64>f32x4.extract_lane(powers, 0) + <f64>f32x4.extract_lane(powers, 1);
      total += <f64>f32x4.extract_lane(powers, 2) + <f64>f32x4.extract_lane(powers, 3);
    }
    for (; at < stride; at += 4) {
      const power = f32x4.extract_lane(exp(f32x4.sub(v128.load32_splat(p + at), most)), 0);
      store<f32>(g + at, power);
      total += power;
    }
    const power = <f64>load<f32>(g + label);
    let others = total - power;
    if (others < 0.001 * total) others = sumWithout(g, label, stride);
    losses += power == 1 && others <= 1 ? logarithmOf1And(others) : logarithmOf(total) + (<f64>largest - <f64>load<f32>(p + label));
    const share = <f64>weight / total;
    const shares = lanes(<f32>share);
    for (at = 0; at < whole; at += 16) v128.store(g + at, f32x4.mul(v128.load(g + at), shares));
    for (; at < stride; at += 4) store<f32>(g + at, load<f32>(g + at) * <f32>share);
    store<f32>(g + label, <f32>(-share * others));
  }
  store<f64>(sum, losses);
}

// The sum of `count` doubles, divided.
export function meanOfSums(sums: usize, count: i32, divisor: f64, mean: usize): void {
  let total: f64 = 0;
  for (let index = 0; index < count; index++) total += load<f64>(sums + ((<usize>index) << 3));
  store<f32>(mean, <f32>(total / divisor));
}

function sumWithout(values: usize, one: usize, end: usize): f64 {
  let sum: f64 = 0;
  for (let at: usize = 0; at < end; at += 4) if (at != one) sum += load<f32>(values + at);
  return sum;
}

// log(1 + x) for 0 ≤ x ≤ 1
// @ts-ignore: decorator
@inline
function logarithmOf1And(x: f64): f64 {
  return f32x4.extract_lane(logarithm(lanes(<f32>x)), 0);
}

// log(x) for x ≥ 1, to the digits of a float; NaN and ∞ for those.
// @ts-ignore: decorator
@inline
function logarithmOf(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  const mantissa = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  const exponent = <f64>(<i32>(bits >> 52) - 1023);
  return logarithmOf1And(mantissa - 1) + exponent * 0.6931471805599453 + (x - x);
}
