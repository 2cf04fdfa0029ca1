/**
 * WGSL: whether a value is NaN. Compilers of shaders may assume that NaN does not occur, so that comparisons and `max` neither
 * detect nor keep it reliably; its bits do.
 */
export const isMissing = `
  fn isMissing(value : f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }`;

/** WGSL: max(value, 0), and NaN for NaN. */
export const rectified = `${isMissing}
  fn rectified(value : f32) -> f32 { return select(max(value, 0.0), value, isMissing(value)); }`;

/** WGSL: NaN, from the bits in the uniform `missingBits`, since a constant NaN does not compile. */
export const missing = 'bitcast<f32>(uniforms.missingBits)';
export const missingBits = 0x7fc00000;

/** −∞ as the uniform `minusInfinityBits`: constants of shaders are finite. */
export const minusInfinityBits = 0xff800000;
