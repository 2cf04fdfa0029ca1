export { createWasmTrainingKernels, type KernelOptions } from './kernels/index.js';
export type {
  BatchNormGradient,
  BatchNormGradientRequest,
  ConvolutionGeometry,
  Normalisation,
  SgdUpdateRequest,
  Shape4,
  WasmTrainingKernels,
} from './kernels/interface.js';
export { detectWasm, type WasmFeatures } from './runtime/detect.js';
export { maximumHeapBytes, openHeap, type WasmHeap } from './runtime/heap.js';
export { startWasm, type WasmOptions, type WasmRuntime } from './runtime/start.js';
export { type Registration, registerComposedFilterGradient, registerTrainingGradients } from './stock/register.js';
