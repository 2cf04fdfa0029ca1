import type { Block } from '@localgrad/core';

/** Which of a pass's tensors a block's VJP looks at. */
export interface VjpReads {
  readonly input: boolean;
  readonly output: boolean;
}

/** A block that says so, so that a composite can free outputs that nobody reads again before the backward begins. */
export interface FrugalBlock extends Block {
  readonly vjpReads: VjpReads;
  /** The same block, weights and all, for a caller that does not keep its output for the backward. */
  withRecomputedOutput?(): Block;
}

/** What is known of a block; both, where it does not say. */
export function vjpReadsOf(block: Block): VjpReads {
  return (block as Partial<FrugalBlock>).vjpReads ?? { input: true, output: true };
}

/** A view of a block whose VJP does not read its output, where the block has one; else the block. */
export function withoutOutput(block: Block): Block {
  return (block as Partial<FrugalBlock>).withRecomputedOutput?.() ?? block;
}
