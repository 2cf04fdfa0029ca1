import type { Block } from '@localgrad/core';

/** Which of a pass's tensors a block's VJP looks at. */
export interface VjpReads {
  readonly input: boolean;
  readonly output: boolean;
}

/** A block that says so, so that a composite can free outputs that nobody reads again before the backward begins. */
export interface FrugalBlock extends Block {
  readonly vjpReads: VjpReads;
}

/** What is known of a block; both, where it does not say. */
export function vjpReadsOf(block: Block): VjpReads {
  return (block as Partial<FrugalBlock>).vjpReads ?? { input: true, output: true };
}
