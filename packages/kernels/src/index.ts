export { describeKernels, type KernelDescription } from './describe-kernels.js';
export type { KernelRuntime } from './kernel-runtime.js';
export { MemoryMeter } from './memory-meter.js';
export { currentKernels, registerTrainingKernels } from './registry.js';
export { SharedRuntimes } from './shared-runtimes.js';
export { stockKernels } from './stock-kernels.js';
export type {
  BatchNormGradient,
  BatchNormGradientRequest,
  BatchStatistics,
  ConvolutionGeometry,
  Normalization,
  SgdUpdateRequest,
  Shape4,
  TrainingKernels,
} from './training-kernels.js';
