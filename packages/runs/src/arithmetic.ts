import type { BackendHandle } from '@localgrad/backends';

/** What the last bits of a run's numbers depend on besides its config; part of every checkpoint. */
export interface Arithmetic {
  /** Name of the backend. */
  readonly backend: string;
  /** Absent for backends without the choice, and in checkpoints of earlier versions, which did not use relaxed SIMD. */
  readonly relaxedSimd?: boolean;
}

export function arithmeticOf({ name, facts: { relaxedSimd } }: Pick<BackendHandle, 'name' | 'facts'>): Arithmetic {
  return { backend: name, ...(typeof relaxedSimd === 'boolean' ? { relaxedSimd } : {}) };
}

/** Why a run that is resumed will not equal the uninterrupted run bit for bit; undefined if it will. */
export function arithmeticDifference(before: Arithmetic, now: Arithmetic): string | undefined {
  if (before.backend !== now.backend)
    return `was started on backend '${before.backend}' and is resumed on '${now.backend}'`;
  const wasRelaxed = before.relaxedSimd ?? false;
  if (wasRelaxed === (now.relaxedSimd ?? false)) return undefined;
  return `was started ${wasRelaxed ? 'with' : 'without'} relaxed SIMD and is resumed ${wasRelaxed ? 'without' : 'with'} it`;
}
