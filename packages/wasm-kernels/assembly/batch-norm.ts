import { addToDoubles, multiplyAdd, rowsPerTile } from './lanes';

// All tensors are rows × channels (channels last), float32. `sums` holds doubles: channels first sums, then channels
// second sums.

// sums = Σ (x − origin), Σ (x − origin)². The origin, any value of the channel, keeps digits when |mean| ≫ deviation.
export function batchStatistics(x: usize, origin: usize, sums: usize, start: i32, end: i32, channels: i32): void {
  const stride = (<usize>channels) << 2;
  const second = sums + ((<usize>channels) << 3);
  memory.fill(sums, 0, (<usize>channels) << 4);
  const tile = rowsPerTile(channels);
  for (let row = start; row < end; row += tile) {
    const stop = min(row + tile, end);
    let c = 0;
    for (; c + 8 <= channels; c += 8) {
      const at = (<usize>c) << 2;
      const o0 = v128.load(origin + at), o1 = v128.load(origin + at, 16);
      let s0 = f32x4.splat(0), s1 = s0, q0 = s0, q1 = s0;
      let p = x + (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        const a = f32x4.sub(v128.load(p), o0), b = f32x4.sub(v128.load(p, 16), o1);
        s0 = f32x4.add(s0, a);
        s1 = f32x4.add(s1, b);
        q0 = multiplyAdd(a, a, q0);
        q1 = multiplyAdd(b, b, q1);
        p += stride;
      }
      addToDoubles(sums + at * 2, s0);
      addToDoubles(sums + at * 2 + 32, s1);
      addToDoubles(second + at * 2, q0);
      addToDoubles(second + at * 2 + 32, q1);
    }
    for (; c + 4 <= channels; c += 4) {
      const at = (<usize>c) << 2;
      const o0 = v128.load(origin + at);
      let s0 = f32x4.splat(0), q0 = s0;
      let p = x + (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        const a = f32x4.sub(v128.load(p), o0);
        s0 = f32x4.add(s0, a);
        q0 = multiplyAdd(a, a, q0);
        p += stride;
      }
      addToDoubles(sums + at * 2, s0);
      addToDoubles(second + at * 2, q0);
    }
    for (; c < channels; c++) {
      const at = (<usize>c) << 2;
      const o = load<f32>(origin + at);
      let s: f64 = 0, q: f64 = 0;
      let p = x + (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        const a = <f64>(load<f32>(p) - o);
        s += a;
        q += a * a;
        p += stride;
      }
      store<f64>(sums + at * 2, load<f64>(sums + at * 2) + s);
      store<f64>(second + at * 2, load<f64>(second + at * 2) + q);
    }
  }
}

// y = act(x·scale + shift [+ residual]); residual 0 = none. y may be x or residual.
export function batchNormApply(
  x: usize, residual: usize, y: usize, start: i32, end: i32, channels: i32, scale: usize, shift: usize, relu: i32,
): void {
  const stride = (<usize>channels) << 2;
  const tile = rowsPerTile(channels);
  const floor = relu ? f32x4.splat(0) : f32x4.splat(-Infinity);
  const floor1: f32 = relu ? 0 : -Infinity;
  for (let row = start; row < end; row += tile) {
    const stop = min(row + tile, end);
    let c = 0;
    for (; c + 4 <= channels; c += 4) {
      const at = (<usize>c) << 2;
      const a = v128.load(scale + at), b = v128.load(shift + at);
      let offset = (<usize>row) * stride + at;
      if (residual) {
        for (let m = row; m < stop; m++) {
          const v = f32x4.add(multiplyAdd(v128.load(x + offset), a, b), v128.load(residual + offset));
          v128.store(y + offset, f32x4.max(floor, v));
          offset += stride;
        }
      } else {
        for (let m = row; m < stop; m++) {
          v128.store(y + offset, f32x4.max(floor, multiplyAdd(v128.load(x + offset), a, b)));
          offset += stride;
        }
      }
    }
    for (; c < channels; c++) {
      const at = (<usize>c) << 2;
      const a = load<f32>(scale + at), b = load<f32>(shift + at);
      let offset = (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        let v = b + load<f32>(x + offset) * a;
        if (residual) v += load<f32>(residual + offset);
        store<f32>(y + offset, max<f32>(floor1, v));
        offset += stride;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function masked(dy: v128, x: v128, offset: usize, output: usize, mode: i32, a: v128, b: v128): v128 {
  if (mode == 1) return v128.and(dy, f32x4.gt(multiplyAdd(x, a, b), f32x4.splat(0)));
  if (mode == 2) return v128.and(dy, f32x4.gt(v128.load(output + offset), f32x4.splat(0)));
  return dy;
}

// g = dy where the ReLU let it through, sums = Σ g, Σ g·(x − mean). mode: 0 no ReLU, 1 recompute it from
// x·scale + shift, 2 read it from `output` (> 0). g may be dy; with mode 0 it is not written.
export function batchNormGradientSums(
  dy: usize, x: usize, output: usize, g: usize, mean: usize, scale: usize, shift: usize, sums: usize,
  start: i32, end: i32, channels: i32, mode: i32,
): void {
  const stride = (<usize>channels) << 2;
  const second = sums + ((<usize>channels) << 3);
  memory.fill(sums, 0, (<usize>channels) << 4);
  const tile = rowsPerTile(channels);
  for (let row = start; row < end; row += tile) {
    const stop = min(row + tile, end);
    let c = 0;
    for (; c + 4 <= channels; c += 4) {
      const at = (<usize>c) << 2;
      const u = v128.load(mean + at), a = v128.load(scale + at), b = v128.load(shift + at);
      let s = f32x4.splat(0), q = s;
      let offset = (<usize>row) * stride + at;
      if (mode == 0) {
        for (let m = row; m < stop; m++) {
          const d = v128.load(dy + offset);
          s = f32x4.add(s, d);
          q = multiplyAdd(d, f32x4.sub(v128.load(x + offset), u), q);
          offset += stride;
        }
      } else if (mode == 1) {
        for (let m = row; m < stop; m++) {
          const v = v128.load(x + offset);
          const d = masked(v128.load(dy + offset), v, offset, output, 1, a, b);
          v128.store(g + offset, d);
          s = f32x4.add(s, d);
          q = multiplyAdd(d, f32x4.sub(v, u), q);
          offset += stride;
        }
      } else {
        for (let m = row; m < stop; m++) {
          const v = v128.load(x + offset);
          const d = masked(v128.load(dy + offset), v, offset, output, 2, a, b);
          v128.store(g + offset, d);
          s = f32x4.add(s, d);
          q = multiplyAdd(d, f32x4.sub(v, u), q);
          offset += stride;
        }
      }
      addToDoubles(sums + at * 2, s);
      addToDoubles(second + at * 2, q);
    }
    for (; c < channels; c++) {
      const at = (<usize>c) << 2;
      const u = load<f32>(mean + at), a = load<f32>(scale + at), b = load<f32>(shift + at);
      let s: f64 = 0, q: f64 = 0;
      let offset = (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        const v = load<f32>(x + offset);
        let d = load<f32>(dy + offset);
        if (mode == 1 && !(b + v * a > 0)) d = 0;
        if (mode == 2 && !(load<f32>(output + offset) > 0)) d = 0;
        if (mode != 0) store<f32>(g + offset, d);
        s += d;
        q += <f64>d * <f64>(v - u);
        offset += stride;
      }
      store<f64>(sums + at * 2, load<f64>(sums + at * 2) + s);
      store<f64>(second + at * 2, load<f64>(second + at * 2) + q);
    }
  }
}

// dx = k0·g + k1·x + k2 by channel; `k` holds the three rows. dx may be g or x.
export function batchNormGradientApply(g: usize, x: usize, dx: usize, start: i32, end: i32, channels: i32, k: usize): void {
  const stride = (<usize>channels) << 2;
  const tile = rowsPerTile(channels);
  for (let row = start; row < end; row += tile) {
    const stop = min(row + tile, end);
    let c = 0;
    for (; c + 4 <= channels; c += 4) {
      const at = (<usize>c) << 2;
      const k0 = v128.load(k + at), k1 = v128.load(k + stride + at), k2 = v128.load(k + 2 * stride + at);
      let offset = (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        v128.store(dx + offset, multiplyAdd(v128.load(g + offset), k0, multiplyAdd(v128.load(x + offset), k1, k2)));
        offset += stride;
      }
    }
    for (; c < channels; c++) {
      const at = (<usize>c) << 2;
      const k0 = load<f32>(k + at), k1 = load<f32>(k + stride + at), k2 = load<f32>(k + 2 * stride + at);
      let offset = (<usize>row) * stride + at;
      for (let m = row; m < stop; m++) {
        store<f32>(dx + offset, k2 + load<f32>(x + offset) * k1 + load<f32>(g + offset) * k0);
        offset += stride;
      }
    }
  }
}
