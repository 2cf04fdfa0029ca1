import type { BackendHandle } from '@localgrad/backends';
import { type MeasurementEnvironment, measurementEnvironment } from '@localgrad/runs';
import { type MeasuredBackend, startMeasuredBackend, usesRelaxedSimd } from './measured-backend.js';

/** Rows of a benchmark, with its options and the environment. */
export interface BenchmarkReport<Options, Row> {
  readonly environment: MeasurementEnvironment;
  /** The processor or GPU that computed. */
  readonly device: string;
  readonly backend: string;
  /** Whether the backend uses relaxed SIMD; null if it has no such choice. */
  readonly relaxedSimd: boolean | null;
  readonly options: Options;
  readonly rows: readonly Row[];
}

/** Starts the backend, measures, and stops the backend, also after an error. @throws LocalgradError */
export async function measureOn<Options extends MeasuredBackend, Row>(
  options: Options,
  measure: (backend: BackendHandle) => Promise<readonly Row[]>,
): Promise<BenchmarkReport<Options, Row>> {
  const backend = await startMeasuredBackend(options);
  try {
    const rows = await measure(backend);
    const environment = await measurementEnvironment();
    const { device, name } = backend;
    return { environment, device, backend: name, relaxedSimd: usesRelaxedSimd(backend), options, rows };
  } finally {
    backend.dispose();
  }
}
