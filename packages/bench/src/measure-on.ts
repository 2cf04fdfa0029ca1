import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { type MeasurementEnvironment, measurementEnvironment } from '@localgrad/runs';

/** The backend that a benchmark runs on. */
export interface BackendChoice {
  readonly backend: string;
  readonly threads: number | 'auto';
}

/** Rows of a benchmark, with its options and the environment. */
export interface BenchmarkReport<Options, Row> {
  readonly environment: MeasurementEnvironment;
  /** The processor or GPU that computed. */
  readonly device: string;
  readonly backend: string;
  readonly options: Options;
  readonly rows: readonly Row[];
}

/** Starts the backend, measures, and stops the backend, also after an error. @throws LocalgradError */
export async function measureOn<Options extends BackendChoice, Row>(
  options: Options,
  measure: (backend: BackendHandle) => Promise<readonly Row[]>,
): Promise<BenchmarkReport<Options, Row>> {
  const backend = await selectBackend(options.backend, { threads: options.threads });
  try {
    const rows = await measure(backend);
    const environment = await measurementEnvironment();
    return { environment, device: backend.device, backend: backend.name, options, rows };
  } finally {
    backend.dispose();
  }
}
