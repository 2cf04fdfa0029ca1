import { addToDoubles, multiplyAdd } from './lanes';

// Group norm of one group where an image is one row of channels: layer norm. Tensors are rows × channels, float32; mean and variance are
// one number per row.

// y = (x − mean)/σ·scale + shift. The mean is summed around the first value, the squares around the mean: a mean far from 0 costs no digits.
export function rowNorm(
  x: usize, y: usize, mean: usize, variance: usize, scale: usize, shift: usize, start: i32, end: i32, channels: i32, epsilon: f64,
): void {
  const stride = (<usize>channels) << 2;
  const whole = (<usize>(channels & -4)) << 2;
  for (let row = <usize>start; row < <usize>end; row++) {
    const p = x + row * stride;
    const origin = load<f32>(p);
    const origins = f32x4.splat(origin);
    let sums = f32x4.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) sums = f32x4.add(sums, f32x4.sub(v128.load(p + at), origins));
    let sum = total(sums);
    for (; at < stride; at += 4) sum += load<f32>(p + at) - origin;
    const m = <f32>(<f64>origin + sum / <f64>channels);
    const means = f32x4.splat(m);
    let squares = f32x4.splat(0);
    for (at = 0; at < whole; at += 16) {
      const v = f32x4.sub(v128.load(p + at), means);
      squares = multiplyAdd(v, v, squares);
    }
    let square = total(squares);
    for (; at < stride; at += 4) {
      const v = load<f32>(p + at) - m;
      square += v * v;
    }
    const spread = square / <f64>channels;
    store<f32>(mean + (row << 2), m);
    store<f32>(variance + (row << 2), <f32>spread);
    const inverse = <f32>(1 / Math.sqrt(spread + epsilon));
    const inverses = f32x4.splat(inverse);
    const q = y + row * stride;
    for (at = 0; at < whole; at += 16) {
      const v = f32x4.mul(f32x4.sub(v128.load(p + at), means), inverses);
      v128.store(q + at, multiplyAdd(v, v128.load(scale + at), v128.load(shift + at)));
    }
    for (; at < stride; at += 4) {
      store<f32>(q + at, (load<f32>(p + at) - m) * inverse * load<f32>(scale + at) + load<f32>(shift + at));
    }
  }
}

// With x̂ = (x − mean)/σ and means over the row: dx = (scale·dy − mean(scale·dy) − x̂·mean(scale·dy·x̂))/σ; dx may be dy. `sums`:
// doubles, by channel first Σ dy, then Σ dy·x̂.
export function rowNormGradient(
  dy: usize, x: usize, dx: usize, mean: usize, variance: usize, scale: usize, sums: usize, start: i32, end: i32, channels: i32,
  epsilon: f64,
): void {
  const stride = (<usize>channels) << 2;
  const whole = (<usize>(channels & -4)) << 2;
  const second = sums + 2 * stride;
  memory.fill(sums, 0, 4 * stride);
  for (let row = <usize>start; row < <usize>end; row++) {
    const p = x + row * stride;
    const d = dy + row * stride;
    const m = load<f32>(mean + (row << 2));
    const means = f32x4.splat(m);
    const inverse = <f32>(1 / Math.sqrt(<f64>load<f32>(variance + (row << 2)) + epsilon));
    const inverses = f32x4.splat(inverse);
    let constants = f32x4.splat(0), slopes = constants;
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const g = v128.load(d + at);
      const v = f32x4.mul(f32x4.sub(v128.load(p + at), means), inverses);
      const scaled = f32x4.mul(g, v128.load(scale + at));
      constants = f32x4.add(constants, scaled);
      slopes = multiplyAdd(scaled, v, slopes);
      addToDoubles(sums + 2 * at, g);
      addToDoubles(second + 2 * at, f32x4.mul(g, v));
    }
    let constant = total(constants), slope = total(slopes);
    for (; at < stride; at += 4) {
      const g = load<f32>(d + at);
      const v = (load<f32>(p + at) - m) * inverse;
      const scaled = g * load<f32>(scale + at);
      constant += scaled;
      slope += scaled * v;
      store<f64>(sums + 2 * at, load<f64>(sums + 2 * at) + g);
      store<f64>(second + 2 * at, load<f64>(second + 2 * at) + g * v);
    }
    const c = <f32>(constant / <f64>channels), k = <f32>(slope / <f64>channels);
    const cs = f32x4.splat(c), ks = f32x4.splat(-k);
    const o = dx + row * stride;
    for (at = 0; at < whole; at += 16) {
      const v = f32x4.mul(f32x4.sub(v128.load(p + at), means), inverses);
      const scaled = f32x4.mul(v128.load(d + at), v128.load(scale + at));
      v128.store(o + at, f32x4.mul(multiplyAdd(v, ks, f32x4.sub(scaled, cs)), inverses));
    }
    for (; at < stride; at += 4) {
      const v = (load<f32>(p + at) - m) * inverse;
      store<f32>(o + at, (load<f32>(d + at) * load<f32>(scale + at) - c - v * k) * inverse);
    }
  }
}

// @ts-ignore: decorator
@inline
function total(v: v128): f64 {
  return <f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1) + <f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3);
}
