export { createTensorflowKernels } from './kernels/index.js';
export type { NativeBackend } from './native-backend.js';
export { startTensorflow, type TensorflowFacts, type TensorflowOptions, type TensorflowRuntime } from './start.js';
export { type Trial, tryTensorflow } from './trial.js';
