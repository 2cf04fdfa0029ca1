import { type BackboneBlock, type BlockReference, formatReference } from './backbone.js';
import type { Block, BlockCost } from './block.js';
import { LocalgradError, rejectUnknownKeys } from './errors.js';
import { bytesOf } from './shapes.js';

/** Number of blocks per module, from input to output; the stem counts as a block. */
export type Partition = readonly number[];

/** How to split a backbone into modules. */
export type PartitionSpec =
  | {
      /** Number of modules, K. */
      readonly modules: number;
      /**
       * `even`: block counts as equal as possible, with extra blocks in the later modules. `balanced-memory`: minimizes
       * the stored activations of the largest module.
       */
      readonly strategy?: PartitionStrategy;
      /**
       * Whether the stem forms its own module. Default: `own` if there are as many modules as blocks including the
       * stem.
       */
      readonly stemModule?: 'merged' | 'own';
    }
  /** Explicit: the last block of each module. */
  | { readonly lastBlocks: readonly BlockReference[] }
  /** Explicit: blocks per module, the stem included. */
  | { readonly sizes: readonly number[] };

/** How `resolvePartition` divides the blocks among a given number of modules. */
export type PartitionStrategy = 'even' | 'balanced-memory';

/** Cost of a block; `costOf` of `@localgrad/nn/cost` measures blocks that declare none. */
export type CostOf = (block: Block) => BlockCost;

function statedCost({ name, cost }: Block): BlockCost {
  if (cost !== undefined) return cost;
  throw new LocalgradError(
    'invalid-option',
    `Block '${name}' declares no cost, which strategy 'balanced-memory' requires. Pass resolvePartition a function that measures it (costOf from @localgrad/nn), or use strategy 'even'.`,
    { block: name },
  );
}

/**
 * Splits a sequence of blocks, starting with the stem, into modules.
 *
 * @param costOf returns the cost of a block that declares none, for `balanced-memory`; `costOf` from `@localgrad/nn`
 *   measures it
 * @throws LocalgradError `invalid-option` when the partition is impossible; the message lists the possible values
 */
export function resolvePartition(
  blocks: readonly BackboneBlock[],
  spec: PartitionSpec,
  costOf: CostOf = statedCost,
): Partition {
  if ('sizes' in spec) {
    rejectUnknownKeys('an explicit partition', spec, ['sizes']);
    return checkPartition(blocks, spec.sizes);
  }
  if ('lastBlocks' in spec) {
    rejectUnknownKeys('an explicit partition', spec, ['lastBlocks']);
    return fromLastBlocks(blocks, spec.lastBlocks);
  }
  rejectUnknownKeys('a partition', spec, ['modules', 'strategy', 'stemModule']);
  const { modules, strategy = 'even' } = spec;
  const body = blocks.length - 1;
  const stemModule = spec.stemModule ?? (modules === blocks.length ? 'own' : 'merged');
  if (stemModule !== 'own' && stemModule !== 'merged') {
    throw new LocalgradError('invalid-option', `stemModule is '${String(stemModule)}'; allowed: merged, own.`);
  }
  // A network of a single block, such as an imported model, is one module.
  if (blocks.length === 1 && modules === 1) return [1];
  const [least, most] = blocks.length === 1 ? [1, 1] : stemModule === 'own' ? [2, body + 1] : [1, body];
  if (!Number.isInteger(modules) || modules < least || modules > most) {
    const range = most < least ? [] : [most === least ? `${least}` : `${least} to ${most}`];
    const own = stemModule === 'merged' && body > 0 ? [`${body + 1} with the stem as a module of its own`] : [];
    const allowed = [...range, ...own].join(', or ');
    throw new LocalgradError(
      'invalid-option',
      `Cannot split ${body} blocks and a stem (${stemModule}) into ${modules} modules; allowed: ${allowed}.`,
      { where: 'partition', option: 'modules', allowed, modules, least, most, stemModule },
    );
  }
  const own = stemModule === 'own' ? 1 : 0;
  if (strategy === 'even') return own ? [1, ...evenSizes(body, modules - 1)] : evenWithStem(body, modules);
  if (strategy !== 'balanced-memory') {
    throw new LocalgradError(
      'invalid-option',
      `Unknown partition strategy '${String(strategy)}'; allowed: even, balanced-memory.`,
    );
  }
  return own ? [1, ...balancedSizes(blocks.slice(1), modules - 1, costOf)] : balancedSizes(blocks, modules, costOf, 2);
}

/**
 * Equal block counts if the number of modules divides them; otherwise the stem counts as a block, unless it would form
 * a module on its own. Reproduces all published CIFAR partitions (docs/methods/networks.md §2) except the one into 32
 * modules.
 */
function evenWithStem(body: number, modules: number): number[] {
  if (body % modules !== 0 && body + 1 >= 2 * modules) return evenSizes(body + 1, modules);
  return evenSizes(body, modules).map((size, index) => (index === 0 ? size + 1 : size));
}

function evenSizes(blocks: number, modules: number): number[] {
  const base = Math.floor(blocks / modules);
  const extra = blocks % modules;
  return Array.from({ length: modules }, (_, index) => (index >= modules - extra ? base + 1 : base));
}

/**
 * Dynamic programming over prefixes: cost[k][n] is the smallest possible maximum when the first n blocks form k
 * modules.
 *
 * @param firstAtLeast minimum number of blocks in the first module (the stem and one more)
 */
function balancedSizes(blocks: readonly BackboneBlock[], modules: number, costOf: CostOf, firstAtLeast = 1): number[] {
  const bytes = blocks.map(({ block }) => costOf(block).residualBytes(1) + bytesOf(block.outputShape, 1));
  const prefix = [0];
  for (const value of bytes) prefix.push((prefix.at(-1) ?? 0) + value);
  const between = (start: number, end: number) => (prefix[end] ?? 0) - (prefix[start] ?? 0);
  let cost = blocks.map((_, index) => (index + 1 >= firstAtLeast ? between(0, index + 1) : Number.POSITIVE_INFINITY));
  cost.unshift(Number.POSITIVE_INFINITY);
  const cuts: number[][] = [];
  for (let module = 2; module <= modules; module++) {
    const next = new Array<number>(blocks.length + 1).fill(Number.POSITIVE_INFINITY);
    const cut = new Array<number>(blocks.length + 1).fill(0);
    for (let end = module; end <= blocks.length; end++) {
      for (let start = module - 1; start < end; start++) {
        const worst = Math.max(cost[start] ?? Number.POSITIVE_INFINITY, between(start, end));
        if (worst < (next[end] ?? 0)) {
          next[end] = worst;
          cut[end] = start;
        }
      }
    }
    cuts.unshift(cut);
    cost = next;
  }
  const sizes: number[] = [];
  let end = blocks.length;
  for (const cut of cuts) {
    const start = cut[end] ?? 0;
    sizes.unshift(end - start);
    end = start;
  }
  return [end, ...sizes];
}

/** Checks that the sizes cover the blocks, and returns a copy. @throws LocalgradError `invalid-option` */
export function checkPartition(blocks: readonly BackboneBlock[], sizes: readonly number[]): Partition {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.length === 0 || sizes.some((size) => !Number.isInteger(size) || size < 1) || total !== blocks.length) {
    const allowed = `integers ≥ 1 that sum to the ${blocks.length} blocks, the stem included`;
    throw new LocalgradError(
      'invalid-option',
      `Partition sizes [${sizes.join(', ')}] sum to ${total}; allowed: ${allowed}.`,
      { where: 'partition', option: 'sizes', allowed, sizes: [...sizes], blocks: blocks.length },
    );
  }
  return [...sizes];
}

function fromLastBlocks(blocks: readonly BackboneBlock[], lastBlocks: readonly BlockReference[]): Partition {
  const names = blocks.map(({ reference }) => formatReference(reference));
  const ends = lastBlocks.map((reference) => {
    const position = names.indexOf(formatReference(reference));
    if (position < 0) {
      throw new LocalgradError(
        'invalid-option',
        `Partition contains block ${formatReference(reference)}, which the backbone does not have. Its blocks: ${names.join(' ')}.`,
        { reference, blocks: names },
      );
    }
    return position;
  });
  const isRising = ends.every((end, index) => index === 0 || end > (ends[index - 1] ?? 0));
  if (!isRising || ends.at(-1) !== blocks.length - 1) {
    throw new LocalgradError(
      'invalid-option',
      `Partition ${lastBlocks.map(formatReference).join(' ')} must list blocks in ascending order and end with ${names.at(-1)}.`,
      { lastBlocks: [...lastBlocks] },
    );
  }
  return ends.map((end, index) => end - (ends[index - 1] ?? -1));
}
