export type { BackendDescriptor, BackendHandle, BackendOptions, ProbeResult } from './descriptor.js';
export { describeEnvironment, type Environment } from './environment.js';
export { type BackendDiagnosis, backendNames, type DoctorReport, diagnose, selectBackend } from './select.js';
