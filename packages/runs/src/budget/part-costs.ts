import { at, type BackboneBlock } from '@localgrad/core';
import { type ModuleCost, moduleCostOf } from '@localgrad/engine';
import { sequential } from '@localgrad/nn/blocks';

/** Costs of all modules that a network can be cut into. */
export class PartCosts {
  readonly #known = new Map<number, ModuleCost>();

  constructor(
    readonly blocks: readonly BackboneBlock[],
    readonly batchSize: number,
  ) {}

  /** A module of the blocks from `start` up to, but without, `end`. */
  of(start: number, end: number): ModuleCost {
    const key = start * (this.blocks.length + 1) + end;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const blocks = this.blocks.slice(start, end).map(({ block }) => block);
    const module = blocks.length === 1 ? at(blocks, 0, 'block') : sequential('part', blocks);
    const cost = moduleCostOf(module, blocks, this.batchSize);
    this.#known.set(key, cost);
    return cost;
  }

  /** Multiply-accumulates of a forward and backward pass of the blocks from `position`. */
  trainingWorkFrom(position: number): number {
    return position >= this.blocks.length ? 0 : 3 * this.of(position, this.blocks.length).multiplyAccumulates;
  }

  /** For each shape of an input of the blocks before `end`, the first block that has it. */
  firstOfEachShape(end: number): number[] {
    const shapes = this.blocks.slice(0, end).map(({ block }) => block.inputShape.join('x'));
    return [...shapes.keys()].filter((start) => start === 0 || shapes.indexOf(at(shapes, start, 'shape')) === start);
  }
}
