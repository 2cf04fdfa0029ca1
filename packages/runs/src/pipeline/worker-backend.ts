import type { WorkerBackend } from '@localgrad/pipeline';
import type { RunConfig } from '../config/run-config.js';

/** Backends that each worker can start for itself. */
export const workerBackends = ['wasm', 'tensorflow', 'cpu'] as const;

/** The backend of each worker of a run; wasm if the config names none of them. */
export function workerBackendOf({
  backend,
  threads = 'auto',
  relaxedSimd = true,
}: Partial<Pick<RunConfig, 'backend' | 'threads' | 'relaxedSimd'>>): Required<WorkerBackend> {
  const name = workerBackends.find((one) => one === backend) ?? 'wasm';
  return { name, threads: threads === 'auto' ? 1 : threads, relaxedSimd };
}
