export type { Trial } from '@localgrad/tensorflow-kernels';
export type { BackendDescriptor, BackendHandle, BackendOptions, MemoryInUse, ProbeResult } from './descriptor.js';
export type { Environment } from './environment.js';
export type { MeasurementOptions, Measurements } from './measurements.js';
export { keptMeasurements } from './measurements.node.js';
export { mostThreads } from './most-threads.js';
export { findOptional } from './optional-module.node.js';
export {
  type BackendDiagnosis,
  backendNames,
  type DoctorReport,
  diagnose,
  requireBackend,
  selectBackend,
} from './select.js';
export { describeEnvironment } from './system.node.js';
export { tryPackage as tryTensorflow } from './tensorflow/try-package.node.js';
