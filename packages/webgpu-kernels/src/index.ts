export { guardBackend } from './guard.js';
export { createWebGpuKernels } from './kernels/index.js';
export type { GpuDevice, WebGpuBackend } from './program.js';
export { startWebGpu, type WebGpuFacts, type WebGpuRuntime } from './start.js';
