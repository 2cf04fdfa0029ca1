export { createWasmTrainingKernels, type KernelOptions } from './kernels/index.js';
export type { WasmTrainingKernels } from './kernels/wasm-training-kernels.js';
export type { PendingWork } from './runtime/allocations.js';
export { detectWasm, type WasmFeatures } from './runtime/detect.js';
export { maximumHeapBytes, openHeap, type WasmHeap } from './runtime/heap.js';
export { startWasm, type WasmFacts, type WasmOptions, type WasmRuntime } from './runtime/start.js';
export { type Registration, registerComposedFilterGradient, registerTrainingGradients } from './stock/register.js';
