import type { Backbone, BackboneBlock } from './backbone.js';
import { formatReference } from './backbone.js';
import type { Block } from './block.js';
import { at } from './checked.js';
import { LocalgradError } from './errors.js';
import { checkPartition, type Partition } from './partition.js';
import { formatShape, type Shape3, sameShape } from './shapes.js';

/** Consecutive backbone blocks that are trained together. */
export interface Module {
  /** Index of the module, from 0. */
  readonly index: number;
  /** Name of its last block. */
  readonly name: string;
  /** Blocks of the module with their positions in the backbone. */
  readonly members: readonly BackboneBlock[];
  /** The same blocks alone. */
  readonly blocks: readonly Block[];
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Shape [height, width, channels] of one sample's output. */
  readonly outputShape: Shape3;
}

/** A backbone partitioned into modules; the input of a method. */
export interface Network {
  /** The backbone that was partitioned. */
  readonly backbone: Backbone;
  /** Modules from the image to the classifier. */
  readonly modules: readonly Module[];
  /** Number of classes of the classifier. */
  readonly classes: number;
  /** Image shape [height, width, channels]. */
  readonly imageShape: Shape3;
}

/**
 * Splits a backbone into the modules of a partition (see `resolvePartition`).
 *
 * @throws LocalgradError `invalid-option` when the partition does not cover the backbone's blocks; `shape-mismatch` when a block
 * does not accept what the one before it, or the image, provides
 */
export function createNetwork(backbone: Backbone, partition: Partition): Network {
  checkChain(backbone);
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

/** Kernels do not compare channels: some would compute garbage, others never end. */
function checkChain({ name, inputShape, blocks }: Backbone): void {
  let given = inputShape;
  let from = 'images have';
  for (const { reference, block } of blocks) {
    const what = `block '${block.name}' ${formatReference(reference)}`;
    if (!sameShape(given, block.inputShape)) {
      throw new LocalgradError(
        'shape-mismatch',
        `Backbone '${name}': ${what} has inputShape ${formatShape(block.inputShape)}, but ${from} shape ${formatShape(given)}.`,
        { backbone: name, block: block.name, expected: given, found: block.inputShape },
      );
    }
    given = block.outputShape;
    from = `the output of ${what} has`;
  }
}
