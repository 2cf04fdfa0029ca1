export { startTensorflow, type TensorflowFacts, type TensorflowOptions, type TensorflowRuntime } from './start.js';
export { type Trial, tryTensorflow } from './trial.js';
