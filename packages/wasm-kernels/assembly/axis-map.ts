import { multiplyAdd } from './lanes';

// y[o, i, :] = Σₖ weight(i, k) · x[o, k, :] for lines start … end − 1 of y, of `inner` elements each; line o · outputs + i.
// `bands` has three integers for each i: the first k, the number of them, and the position of the first weight.
export function axisMap(
  x: usize, y: usize, bands: usize, weights: usize, start: i32, end: i32, inputs: i32, outputs: i32, inner: i32,
): void {
  const step = (<usize>inner) << 2;
  for (let line = start; line < end; line++) {
    const o = line / outputs;
    const band = bands + <usize>(line - o * outputs) * 12;
    const count = load<i32>(band, 4);
    const first = x + <usize>(o * inputs + load<i32>(band)) * step;
    const w = weights + ((<usize>load<i32>(band, 8)) << 2);
    const target = y + <usize>line * step;
    let c: i32 = 0;
    for (; c + 16 <= inner; c += 16) {
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      let p = first + ((<usize>c) << 2);
      for (let k = 0; k < count; k++) {
        const weight = v128.load32_splat(w + ((<usize>k) << 2));
        s0 = multiplyAdd(weight, v128.load(p), s0);
        s1 = multiplyAdd(weight, v128.load(p, 16), s1);
        s2 = multiplyAdd(weight, v128.load(p, 32), s2);
        s3 = multiplyAdd(weight, v128.load(p, 48), s3);
        p += step;
      }
      const at = target + ((<usize>c) << 2);
      v128.store(at, s0);
      v128.store(at, s1, 16);
      v128.store(at, s2, 32);
      v128.store(at, s3, 48);
    }
    for (; c + 4 <= inner; c += 4) {
      let sum = f32x4.splat(0);
      let p = first + ((<usize>c) << 2);
      for (let k = 0; k < count; k++) {
        sum = multiplyAdd(v128.load32_splat(w + ((<usize>k) << 2)), v128.load(p), sum);
        p += step;
      }
      v128.store(target + ((<usize>c) << 2), sum);
    }
    for (; c < inner; c++) {
      let sum: f32 = 0;
      let p = first + ((<usize>c) << 2);
      for (let k = 0; k < count; k++) {
        sum += load<f32>(w + ((<usize>k) << 2)) * load<f32>(p);
        p += step;
      }
      store<f32>(target + ((<usize>c) << 2), sum);
    }
  }
}
