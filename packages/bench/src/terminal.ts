import type { ProgressStream } from '@localgrad/train';

/** Output for progress, and a signal that ends a benchmark early. */
export interface Terminal {
  readonly stderr: ProgressStream;
  readonly signal?: AbortSignal;
}
