import type { BackboneBlock, Block, BlockReference, Shape3 } from '@localgrad/core';

/** Builds a backbone's blocks in sequence: each one receives the output shape of the one before. */
export class BlockLine {
  readonly blocks: BackboneBlock[] = [];
  #shape: Shape3;

  constructor(inputShape: Shape3) {
    this.#shape = inputShape;
  }

  /** Output shape of the last block. */
  get shape(): Shape3 {
    return this.#shape;
  }

  add(reference: BlockReference, create: (inputShape: Shape3) => Block): this {
    const block = create(this.#shape);
    this.blocks.push({ reference, block });
    this.#shape = block.outputShape;
    return this;
  }
}

/** Builds a composite block's members in sequence. */
export function membersOf(inputShape: Shape3, creators: readonly ((inputShape: Shape3) => Block)[]): Block[] {
  let shape = inputShape;
  return creators.map((create) => {
    const block = create(shape);
    shape = block.outputShape;
    return block;
  });
}
