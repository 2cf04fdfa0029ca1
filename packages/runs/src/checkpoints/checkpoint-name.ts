/**
 * A checkpoint's file name: `step-00000120-000003` was saved at step 120 by the third attempt at the run. Names of earlier
 * versions have no attempt; it is then 0.
 */
export interface CheckpointName {
  readonly name: string;
  readonly step: number;
  readonly attempt: number;
}

export function checkpointName(step: number, attempt: number): CheckpointName {
  const suffix = attempt === 0 ? '' : `-${String(attempt).padStart(6, '0')}`;
  return { name: `step-${String(step).padStart(8, '0')}${suffix}`, step, attempt };
}

/** A file of a checkpoint; undefined for other files, which are not localgrad's. */
export function checkpointFile(
  file: string,
): { readonly of: CheckpointName; readonly kind: 'description' | 'tensors' | 'partial' } | undefined {
  const match = /^step-(\d{8,})(?:-(\d{6,}))?\.(json|safetensors)(\.[0-9a-f-]+\.partial)?$/.exec(file);
  if (match === null) return undefined;
  const [, step, attempt, extension, partial] = match;
  const of = checkpointName(Number(step), Number(attempt ?? 0));
  // Names that this program does not write, e.g. with more zeros.
  if (!file.startsWith(`${of.name}.`)) return undefined;
  return { of, kind: partial !== undefined ? 'partial' : extension === 'json' ? 'description' : 'tensors' };
}

/** Later attempts come after earlier ones: an attempt may go back to an earlier step. */
export function oldestFirst(a: CheckpointName, b: CheckpointName): number {
  return a.attempt - b.attempt || a.step - b.step;
}
