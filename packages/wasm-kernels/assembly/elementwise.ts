import { multiplyAdd } from './lanes';

// y = a + b on elements start … end − 1; y may be a or b.
export function add(a: usize, b: usize, y: usize, start: i32, end: i32): void {
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(y + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    store<f32>(y + at, load<f32>(a + at) + load<f32>(b + at));
  }
}

// y = min(max(x, low), high), and NaN for NaN.
export function clamp(x: usize, y: usize, start: i32, end: i32, low: f32, high: f32): void {
  const least = f32x4.splat(low), most = f32x4.splat(high);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(y + at, f32x4.min(most, f32x4.max(least, v128.load(x + at))));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    store<f32>(y + at, min<f32>(high, max<f32>(low, load<f32>(x + at))));
  }
}

// dx = dy where y > 0, slope·dy elsewhere.
export function reluGradient(dy: usize, y: usize, dx: usize, start: i32, end: i32, slope: f32): void {
  const zero = f32x4.splat(0), slopes = f32x4.splat(slope);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = (<usize>i) << 2;
    const d = v128.load(dy + at);
    v128.store(dx + at, v128.bitselect(d, f32x4.mul(slopes, d), f32x4.gt(v128.load(y + at), zero)));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    const d = load<f32>(dy + at);
    store<f32>(dx + at, load<f32>(y + at) > 0 ? d : slope * d);
  }
}

// y = Σ over `count` arrays of `size` elements that lie one behind the other from x on, in that order, for elements
// start … end − 1.
export function sumArrays(x: usize, y: usize, count: i32, size: i32, start: i32, end: i32): void {
  const step = (<usize>size) << 2;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    let p = x + ((<usize>i) << 2);
    let sum = v128.load(p);
    for (let k = 1; k < count; k++) {
      p += step;
      sum = f32x4.add(sum, v128.load(p));
    }
    v128.store(y + ((<usize>i) << 2), sum);
  }
  for (; i < end; i++) {
    let p = x + ((<usize>i) << 2);
    let sum = load<f32>(p);
    for (let k = 1; k < count; k++) {
      p += step;
      sum += load<f32>(p);
    }
    store<f32>(y + ((<usize>i) << 2), sum);
  }
}

// PyTorch's SGD: g += wd·p; v = first ? g : m·v + g; p' = p − lr·(nesterov ? g + m·v : v). v or p' may be the gradient's
// buffer. Without a nextVelocity, v is not kept.
// Without decay p is not read into g: 0 times an infinite p is NaN.
export function sgd(
  value: usize, gradient: usize, velocity: usize, next: usize, nextVelocity: usize, start: i32, end: i32,
  rate: f32, momentum: f32, decay: f32, nesterov: i32,
): void {
  const r = f32x4.splat(-rate), m = f32x4.splat(momentum), d = f32x4.splat(decay);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = (<usize>i) << 2;
    const p = v128.load(value + at);
    const g = decay != 0 ? multiplyAdd(p, d, v128.load(gradient + at)) : v128.load(gradient + at);
    const v = velocity ? multiplyAdd(v128.load(velocity + at), m, g) : g;
    if (nextVelocity) v128.store(nextVelocity + at, v);
    v128.store(next + at, multiplyAdd(nesterov ? multiplyAdd(v, m, g) : v, r, p));
  }
  for (; i < end; i++) {
    const at = (<usize>i) << 2;
    const p = load<f32>(value + at);
    const g = decay != 0 ? load<f32>(gradient + at) + decay * p : load<f32>(gradient + at);
    const v = velocity ? load<f32>(velocity + at) * momentum + g : g;
    if (nextVelocity) store<f32>(nextVelocity + at, v);
    store<f32>(next + at, p - rate * (nesterov ? g + momentum * v : v));
  }
}

// y[n, c] = Σ x[n, ·, c] · factor over `positions`, for images start … end − 1.
export function poolSum(x: usize, y: usize, start: i32, end: i32, positions: i32, channels: i32, factor: f32): void {
  const stride = (<usize>channels) << 2;
  for (let n = start; n < end; n++) {
    const image = x + (<usize>(n * positions)) * stride;
    const target = y + (<usize>n) * stride;
    let c = 0;
    for (; c + 4 <= channels; c += 4) {
      let sum = f32x4.splat(0);
      let p = image + ((<usize>c) << 2);
      for (let i = 0; i < positions; i++) {
        sum = f32x4.add(sum, v128.load(p));
        p += stride;
      }
      v128.store(target + ((<usize>c) << 2), f32x4.mul(sum, f32x4.splat(factor)));
    }
    for (; c < channels; c++) {
      let sum: f32 = 0;
      let p = image + ((<usize>c) << 2);
      for (let i = 0; i < positions; i++) {
        sum += load<f32>(p);
        p += stride;
      }
      store<f32>(target + ((<usize>c) << 2), sum * factor);
    }
  }
}

// x[n, ·, c] = y[n, c] · factor: the adjoint of poolSum.
export function poolSpread(y: usize, x: usize, start: i32, end: i32, positions: i32, channels: i32, factor: f32): void {
  const stride = (<usize>channels) << 2;
  for (let n = start; n < end; n++) {
    let p = x + (<usize>(n * positions)) * stride;
    const source = y + (<usize>n) * stride;
    for (let i = 0; i < positions; i++) {
      let c = 0;
      for (; c + 4 <= channels; c += 4) {
        const at = (<usize>c) << 2;
        v128.store(p + at, f32x4.mul(v128.load(source + at), f32x4.splat(factor)));
      }
      for (; c < channels; c++) {
        const at = (<usize>c) << 2;
        store<f32>(p + at, load<f32>(source + at) * factor);
      }
      p += stride;
    }
  }
}
