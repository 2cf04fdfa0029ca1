import type { BackendOptions } from '../descriptor.js';
import type { Measurements } from '../measurements.js';
import { keptMeasurements } from '../measurements.node.js';
import type { StepTimes } from './choose.js';

/** Measured times of the backends, for each number of threads and SIMD variant. */
export function stepTimesStore(options: BackendOptions): Measurements<StepTimes> {
  return keptMeasurements(options, { file: 'step-times.json', isValue });
}

function isValue(times: unknown): times is StepTimes {
  return typeof times === 'object' && times !== null && Object.values(times).every(Number.isFinite);
}
