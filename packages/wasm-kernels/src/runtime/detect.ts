import { availableThreads, enableRelaxedSimd } from './platform.node.js';

/** The smallest modules that use `i8x16.splat, i8x16.popcnt` and `i8x16.relaxed_swizzle`. */
const simdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);
const relaxedSimdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
]);

export interface WasmFeatures {
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Number of threads for `auto`: one per core, at most 8; 1 in browsers, except in web workers of cross-origin isolated pages. */
  readonly threads: number;
}

/**
 * Detects the WebAssembly features of this runtime, without starting a backend. In Node 20 it enables V8's support for relaxed
 * SIMD, which Node 22 and browsers have by default.
 */
export async function detectWasm(): Promise<WasmFeatures> {
  return {
    simd: WebAssembly.validate(simdProbe),
    relaxedSimd: supportsRelaxedSimd(),
    threads: Math.min(8, Math.max(1, availableThreads())),
  };
}

function supportsRelaxedSimd(): boolean {
  if (WebAssembly.validate(relaxedSimdProbe)) return true;
  enableRelaxedSimd();
  return WebAssembly.validate(relaxedSimdProbe);
}
