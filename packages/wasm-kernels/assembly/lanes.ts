// c + a·b on four lanes. The relaxed variant may fuse: faster, but not the same bits on every processor.
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (isDefined(RELAXED)) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

// Adds four floats to four doubles at `target`: long sums must not lose digits.
// @ts-ignore: decorator
@inline
export function addToDoubles(target: usize, v: v128): void {
  v128.store(target, f64x2.add(v128.load(target), f64x2.promote_low_f32x4(v)));
  const high = i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  v128.store(target + 16, f64x2.add(v128.load(target + 16), f64x2.promote_low_f32x4(high)));
}

// Rows of C channels that are worked on together: about 16 KiB, so that they stay in the first-level cache.
// @ts-ignore: decorator
@inline
export function rowsPerTile(channels: i32): i32 {
  return max(8, 4096 / channels);
}

// The largest of the floats from p on, `bytes` long, at least one of them; NaN if one is.
// @ts-ignore: decorator
@inline
export function largestOf(p: usize, bytes: usize): f32 {
  let most = v128.load32_splat(p);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) most = f32x4.max(most, v128.load(p + at));
  for (; at < bytes; at += 4) most = f32x4.max(most, v128.load32_splat(p + at));
  return max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
}
