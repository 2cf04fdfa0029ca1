export type { Trial } from '@localgrad/tensorflow-kernels';
export type { BackendDescriptor, BackendHandle, BackendOptions, MemoryInUse, ProbeResult } from './descriptor.js';
export { describeEnvironment, type Environment } from './environment.js';
export { findOptional } from './optional-module.js';
export { type BackendDiagnosis, backendNames, type DoctorReport, diagnose, selectBackend } from './select.js';
export { tryPackage as tryTensorflow } from './tensorflow/try-package.js';
