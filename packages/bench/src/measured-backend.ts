import { type BackendHandle, selectBackend } from '@localgrad/backends';

export interface MeasuredBackend {
  readonly backend: string;
  readonly threads: number | 'auto';
  /** Relaxed SIMD on wasm, where the engine supports it. Default true. */
  readonly relaxedSimd?: boolean;
}

export function startMeasuredBackend({
  backend,
  threads,
  relaxedSimd = true,
}: MeasuredBackend): Promise<BackendHandle> {
  return selectBackend(backend, { threads, relaxedSimd });
}

/** Whether a backend uses relaxed SIMD; null if it has no such choice. */
export function usesRelaxedSimd({ facts: { relaxedSimd } }: BackendHandle): boolean | null {
  return typeof relaxedSimd === 'boolean' ? relaxedSimd : null;
}

/** The column of a CSV file. */
export function relaxedSimdColumn(relaxedSimd: boolean | null) {
  return { relaxed_simd: relaxedSimd === null ? null : relaxedSimd ? 'yes' : 'no' };
}
