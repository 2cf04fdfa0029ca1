export type { NamedTensors, RecordableStep, RecordedStep, RecordingStatus } from '@localgrad/kernels';
export type { GpuDevice } from './gpu.js';
export { guardBackend } from './guard.js';
export { createWebGpuKernels } from './kernels/index.js';
export { defaultTiling, type Tiling, type TilingChoice } from './kernels/tiling.js';
export type { WebGpuBackend } from './program.js';
export { recordStep } from './recording/record-step.js';
export { startWebGpu, type WebGpuFacts, type WebGpuRuntime } from './start.js';
