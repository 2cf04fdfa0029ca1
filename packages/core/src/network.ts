import type { Backbone, BackboneBlock } from './backbone.js';
import { formatReference } from './backbone.js';
import type { Block } from './block.js';
import { at } from './checked.js';
import { LocalgradError } from './errors.js';
import { faultOfMembers } from './members.js';
import { checkPartition, type Partition } from './partition.js';
import { formatShape, type Shape3, sameShape } from './shapes.js';
import { shown } from './shown.js';

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
 * does not accept what the one before it, or the image, provides; `misuse` when two blocks have the same name or reference
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

/**
 * Checks the shapes and names of a backbone's blocks. Kernels do not compare channels: some would compute garbage, others never
 * end.
 *
 * @throws LocalgradError `shape-mismatch`; `misuse` for names or references that occur twice
 */
export function checkChain(backbone: Backbone): void {
  const fault = faultOfMembers(backbone, { inputShape: 'list', blocks: 'list' });
  if (fault !== undefined) throw new LocalgradError('misuse', `The backbone of a network ${fault}.`);
  const { name, inputShape, blocks } = backbone;
  checkNames(name, blocks);
  checkShape(inputShape, `Backbone '${name}'`, 'inputShape');
  let given = inputShape;
  let from = 'images have';
  for (const { reference, block } of blocks) {
    const what = `block '${block.name}' ${formatReference(reference)}`;
    for (const end of ['inputShape', 'outputShape'] as const)
      checkShape(block[end], `Backbone '${name}': ${what}`, end);
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

function checkShape(shape: unknown, where: string, member: string): void {
  const isShape =
    Array.isArray(shape) && shape.length === 3 && shape.every((extent) => Number.isInteger(extent) && extent >= 1);
  if (isShape) return;
  throw new LocalgradError(
    'shape-mismatch',
    `${where} has ${member} ${shown(shape)}; expected three positive integers: height, width, channels.`,
    { found: shape },
  );
}

/** Random numbers of a block derive from its name, and methods and partitions choose blocks by their references. */
function checkNames(backbone: string, blocks: Backbone['blocks']): void {
  const names = new Map<string, string>();
  const references = new Map<string, string>();
  for (const { reference, block } of blocks) {
    const place = formatReference(reference);
    const fail = (problem: string): never => {
      throw new LocalgradError('misuse', `Backbone '${backbone}': ${problem}.`, { backbone, block: block.name });
    };
    const namesake = names.get(block.name);
    if (namesake !== undefined)
      fail(`blocks ${namesake} and ${place} are both named '${block.name}'; names must be unique`);
    const other = references.get(place);
    if (other !== undefined)
      fail(`blocks '${other}' and '${block.name}' both have the reference ${place}; references must be unique`);
    names.set(block.name, place);
    references.set(place, block.name);
  }
}
