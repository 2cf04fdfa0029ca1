import type { ProgressStream } from '@localgrad/train';

/** Where a benchmark reports its progress, and what may end it early. */
export interface Terminal {
  readonly stderr: ProgressStream;
  readonly signal?: AbortSignal;
}
