import type { Block } from '@localgrad/core';

/** The tensors of a pass that a block's VJP reads. */
export interface VjpReads {
  /** The input of the forward pass. */
  readonly input: boolean;
  /** The output of the forward pass. */
  readonly output: boolean;
}

/** A block that declares what its VJP reads, so that a composite can free unneeded outputs before the backward pass. */
export interface FrugalBlock extends Block {
  readonly vjpReads: VjpReads;
  /** Whether the output shares the input's buffer, and the cotangent of the input that of the output. Default false. */
  readonly isView?: boolean;
  /** A view of the same block, sharing its weights, for callers that do not keep its output for the backward pass. */
  withRecomputedOutput?(): Block;
}

/** The declared reads of a block; input and output if it declares none. */
export function vjpReadsOf(block: Block): VjpReads {
  return isFrugal(block) ? block.vjpReads : { input: true, output: true };
}

/** Whether a block's output shares the input's buffer, and the cotangent of the input that of the output. */
export function isViewOf(block: Block): boolean {
  return isFrugal(block) && block.isView === true;
}

/** A view of the block whose VJP does not read its output, if available; else the block itself. */
export function withoutOutput(block: Block): Block {
  return (isFrugal(block) ? block.withRecomputedOutput?.() : undefined) ?? block;
}

function isFrugal(block: Block): block is FrugalBlock {
  return 'vjpReads' in block;
}
