import type { BackendHandle } from '@localgrad/backends';

/** What the last bits of a run's numbers depend on besides its config; part of every checkpoint. */
export interface Arithmetic {
  /** Name of the backend. */
  readonly backend: string;
  /** Absent for backends without the choice, and in checkpoints of earlier versions, which did not use relaxed SIMD. */
  readonly relaxedSimd?: boolean;
  /** Absent for backends without the choice, and in checkpoints of earlier versions, which left it to TensorFlow. */
  readonly tf32?: boolean;
  /** Absent for backends without the choice, and in checkpoints of earlier versions, which left it to TensorFlow. */
  readonly oneDnn?: boolean;
}

export function arithmeticOf({
  name,
  facts: { relaxedSimd, tf32, oneDnn },
}: Pick<BackendHandle, 'name' | 'facts'>): Arithmetic {
  return {
    backend: name,
    ...(typeof relaxedSimd === 'boolean' ? { relaxedSimd } : {}),
    ...(typeof tf32 === 'boolean' ? { tf32 } : {}),
    ...(typeof oneDnn === 'boolean' ? { oneDnn } : {}),
  };
}

/** Why a run that is resumed will not equal the uninterrupted run bit for bit; undefined if it will. */
export function arithmeticDifference(before: Arithmetic, now: Arithmetic): string | undefined {
  if (before.backend !== now.backend)
    return `was started on backend '${before.backend}' and is resumed on '${now.backend}'`;
  return (
    choiceDifference('relaxed SIMD', before.relaxedSimd ?? false, now.relaxedSimd ?? false) ??
    choiceDifference('TF32', before.tf32 ?? false, now.tf32 ?? false) ??
    choiceDifference('oneDNN', before.oneDnn ?? now.oneDnn, now.oneDnn ?? before.oneDnn)
  );
}

function choiceDifference(what: string, before: boolean | undefined, now: boolean | undefined): string | undefined {
  if (before === now) return undefined;
  return `was started ${before ? 'with' : 'without'} ${what} and is resumed ${before ? 'without' : 'with'} it`;
}
