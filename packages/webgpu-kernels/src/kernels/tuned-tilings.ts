import type { TilingChoice } from './tiling.js';

/**
 * Measured tilings, by vendor and architecture of the GPU as WebGPU names them (`nvidia hopper`). `benchmarks/gpu/tune-kernels.ts`
 * measures them and prints this table. Without an entry, all products have the default tiling.
 */
export const tunedTilings: Readonly<Record<string, readonly TilingChoice[]>> = {};
