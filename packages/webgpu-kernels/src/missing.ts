/**
 * WGSL: whether a value is NaN. Shaders may be compiled as if NaN did not exist: comparisons and `max` cannot be trusted to
 * find it or to keep it; its bits can.
 */
export const isMissing = `
  fn isMissing(value : f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }`;

/** WGSL: max(value, 0), and NaN for NaN. */
export const rectified = `${isMissing}
  fn rectified(value : f32) -> f32 { return select(max(value, 0.0), value, isMissing(value)); }`;

/** WGSL: NaN, of the bits that the uniform `missingBits` holds: a constant NaN does not compile. */
export const missing = 'bitcast<f32>(uniforms.missingBits)';
export const missingBits = 0x7fc00000;
