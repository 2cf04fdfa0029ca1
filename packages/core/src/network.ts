import type { Backbone, BackboneBlock } from './backbone.js';
import { formatReference } from './backbone.js';
import type { Block } from './block.js';
import { at } from './checked.js';
import { checkPartition, type Partition } from './partition.js';
import type { Shape3 } from './shapes.js';

/** Consecutive backbone blocks that are trained together. */
export interface Module {
  readonly index: number;
  /** Name of its last block. */
  readonly name: string;
  readonly members: readonly BackboneBlock[];
  readonly blocks: readonly Block[];
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
}

/** A backbone partitioned into modules; the input of a method. */
export interface Network {
  readonly backbone: Backbone;
  readonly modules: readonly Module[];
  readonly classes: number;
  readonly imageShape: Shape3;
}

/**
 * Splits a backbone into the modules of a partition (see `resolvePartition`).
 *
 * @throws LocalgradError `invalid-option` when the partition does not cover the backbone's blocks
 */
export function createNetwork(backbone: Backbone, partition: Partition): Network {
  let start = 0;
  const modules = checkPartition(backbone.blocks, partition).map((count, index): Module => {
    const members = backbone.blocks.slice(start, start + count);
    start += count;
    const first = at(members, 0, 'block of the module');
    const last = at(members, members.length - 1, 'block of the module');
    return {
      index,
      name: formatReference(last.reference),
      members,
      blocks: members.map((member) => member.block),
      inputShape: first.block.inputShape,
      outputShape: last.block.outputShape,
    };
  });
  return { backbone, modules, classes: backbone.classes, imageShape: backbone.inputShape };
}
