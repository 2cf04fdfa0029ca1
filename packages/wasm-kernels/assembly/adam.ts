import { multiplyAdd } from './lanes';

// PyTorch's Adam on elements start … end − 1: g += decay·p; m += (1 − β₁)(g − m); v = β₂·v + (1 − β₂)·g²;
// p' = kept·p − rate·m/(√v·inverseRoot + ε). No moments before the first update (first = 0). nextFirst and nextSecond may
// be the old moments or the gradient.
export function adam(
  value: usize, gradient: usize, first: usize, second: usize, next: usize, nextFirst: usize, nextSecond: usize,
  start: i32, end: i32, rate: f32, newFirst: f32, beta2: f32, newSecond: f32, inverseRoot: f32, epsilon: f32,
  decay: f32, kept: f32,
): void {
  const r = f32x4.splat(-rate), a = f32x4.splat(newFirst), b = f32x4.splat(beta2), c = f32x4.splat(newSecond);
  const root = f32x4.splat(inverseRoot), e = f32x4.splat(epsilon), d = f32x4.splat(decay), k = f32x4.splat(kept);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = (<usize>i) << 2;
    const p = v128.load(value + at);
    const g = decay != 0 ? multiplyAdd(p, d, v128.load(gradient + at)) : v128.load(gradient + at);
    const squared = f32x4.mul(f32x4.mul(g, g), c);
    let m = f32x4.mul(g, a);
    let v = squared;
    if (first) {
      const old = v128.load(first + at);
      m = multiplyAdd(f32x4.sub(g, old), a, old);
      v = multiplyAdd(v128.load(second + at), b, squared);
    }
    v128.store(nextFirst + at, m);
    v128.store(nextSecond + at, v);
    const ratio = f32x4.div(m, f32x4.add(f32x4.mul(f32x4.sqrt(v), root), e));
    v128.store(next + at, multiplyAdd(ratio, r, f32x4.mul(p, k)));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    const p = load<f32>(value + at);
    const g = decay != 0 ? load<f32>(gradient + at) + decay * p : load<f32>(gradient + at);
    let m = g * newFirst;
    let v = g * g * newSecond;
    if (first) {
      const old = load<f32>(first + at);
      m = old + (g - old) * newFirst;
      v += load<f32>(second + at) * beta2;
    }
    store<f32>(nextFirst + at, m);
    store<f32>(nextSecond + at, v);
    store<f32>(next + at, p * kept - rate * (m / (sqrt<f32>(v) * inverseRoot + epsilon)));
  }
}
