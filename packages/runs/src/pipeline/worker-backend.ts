import type { WorkerBackend } from '@localgrad/pipeline';
import type { RunConfig } from '../config/run-config.js';

/** The backend of each worker of a run. */
export function workerBackendOf({
  backend,
  threads = 'auto',
  relaxedSimd = true,
}: Partial<Pick<RunConfig, 'backend' | 'threads' | 'relaxedSimd'>>): Required<WorkerBackend> {
  return { name: backend === 'cpu' ? 'cpu' : 'wasm', threads: threads === 'auto' ? 1 : threads, relaxedSimd };
}
