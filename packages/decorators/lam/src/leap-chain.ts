import {
  at,
  type BackboneBlock,
  type Block,
  type BlockReference,
  formatReference,
  formatShape,
  LocalgradError,
  type Module,
  type Network,
  type ParameterScope,
  type Shape3,
  sameShape,
} from '@localgrad/core';
import { averagePool, parallelSum, scaledSum, sequential } from '@localgrad/nn/blocks';
import { frozenScope } from '@localgrad/nn/random';

/** Options for building a chain's blocks. */
export interface ChainStyle {
  readonly chain: 'learnable' | 'ema';
  readonly emaBlocks: 'none' | 'first' | 'all';
  readonly emaTrainable: boolean;
  readonly initialize: 'copy' | 'independent';
  readonly scale: 'none' | 'learned';
  readonly chainPool: number;
  /** Name for errors. */
  readonly decorator: string;
}

/** An averaged copy and its live block. */
export interface Twin {
  readonly average: Block;
  readonly live: Block;
}

export interface LeapChain {
  readonly block: Block;
  readonly twins: readonly Twin[];
}

/** Whether the block at this index of a chain has a learnable copy, and whether it has an averaged one. */
export function copiesAt({ chain, emaBlocks }: ChainStyle, index: number) {
  const isFirst = emaBlocks === 'first' && index === 0;
  return { learnable: chain === 'learnable', averaged: chain === 'ema' || emaBlocks === 'all' || isFirst };
}

/**
 * Resolves a chain's blocks, and checks that their shapes match in sequence after the module.
 *
 * @param decorator name for errors
 * @throws LocalgradError `invalid-option` for unknown blocks, `shape-mismatch` for blocks that do not fit
 */
export function resolveChain(
  network: Network,
  module: number,
  references: readonly BlockReference[],
  decorator: string,
): BackboneBlock[] {
  const where = `${decorator}: leap chain of module ${module} ${network.modules[module]?.name ?? ''} (${network.backbone.name}, ${network.modules.length} modules)`;
  if (references.length === 0) {
    throw new LocalgradError('invalid-option', `${where} is empty; at least one block is required.`, { module });
  }
  let shape = network.modules[module]?.outputShape ?? network.imageShape;
  return references.map((reference) => {
    const found = network.backbone.blocks.find(
      (candidate) => candidate.reference[0] === reference[0] && candidate.reference[1] === reference[1],
    );
    if (found === undefined) {
      const known = network.backbone.blocks.map((candidate) => formatReference(candidate.reference)).join(' ');
      throw new LocalgradError(
        'invalid-option',
        `${where} contains block ${formatReference(reference)}, which does not exist; allowed: ${known}.`,
        { module, reference },
      );
    }
    if (!sameShape(found.block.inputShape, shape)) {
      throw new LocalgradError(
        'shape-mismatch',
        `${where}: block ${formatReference(reference)} expects ${formatShape(found.block.inputShape)}, but receives ${formatShape(shape)}.`,
        { module, reference, expected: found.block.inputShape, found: shape },
      );
    }
    shape = found.block.outputShape;
    return found;
  });
}

/**
 * Builds the copies: `augmented.<i>.…` is trained by gradient, `ema.<i>.…` is a moving average of the live block,
 * `scale.<i>.weight` weights their sum.
 */
export function buildChain(
  name: string,
  live: readonly BackboneBlock[],
  style: ChainStyle,
  scope: ParameterScope,
): LeapChain {
  const twins: Twin[] = [];
  const { pool, copyBlock } = pooling(name, live, style);
  const blocks = live.map(({ block }, index) => {
    const { learnable, averaged } = copiesAt(style, index);
    const copy = (kind: 'augmented' | 'ema'): Block => {
      const place = scope.scope(kind).scope(String(index));
      const made = copyBlock(block, kind === 'ema' && !style.emaTrainable ? frozenScope(place) : place);
      if (style.initialize === 'copy') copyValues(block, made);
      return made;
    };
    const augmented = learnable ? copy('augmented') : undefined;
    const average = averaged ? copy('ema') : undefined;
    if (average !== undefined) twins.push({ average, live: block });
    if (augmented !== undefined && average !== undefined) {
      if (style.scale === 'none') return parallelSum(block.name, augmented, average);
      return scaledSum(block.name, augmented, average, scope.scope('scale').scope(String(index)));
    }
    return augmented ?? average ?? copy('augmented');
  });
  const all = [...pool, ...blocks];
  const [only] = all;
  return { block: all.length === 1 && only !== undefined ? only : sequential(name, all), twins };
}

/** The pooling before a chain, if any, and how its blocks are copied: as they are, or for the smaller maps. */
function pooling(name: string, live: readonly BackboneBlock[], { chainPool: size, decorator }: ChainStyle) {
  const [first] = live;
  if (size === 1 || first === undefined) {
    return { pool: [], copyBlock: (block: Block, place: ParameterScope) => block.replicate(place) };
  }
  const pool = averagePool(`${name}.pool`, first.block.inputShape, size);
  const shapes = pooledShapes(live, size);
  const copyBlock = (block: Block, place: ParameterScope): Block => {
    const inputShape = at(
      shapes,
      live.findIndex((one) => one.block === block),
      'shape in the chain',
    );
    const geometry = { name: block.name, inputShape, channels: block.outputShape[2], stride: strideOf(block) };
    const made = block.resize?.(place, geometry);
    if (made === undefined) throw notResizable(block, decorator);
    return made;
  };
  return { pool: [pool], copyBlock };
}

/** Input shapes of the blocks of a chain after pooling, and the shape of its output. */
function pooledShapes(live: readonly BackboneBlock[], size: number): Shape3[] {
  const [height, width, channels] = at(live, 0, 'block of the chain').block.inputShape;
  const shapes: Shape3[] = [[height / size, width / size, channels]];
  for (const { block } of live) {
    const [rows, columns] = at(shapes, shapes.length - 1, 'shape');
    const stride = strideOf(block);
    shapes.push([Math.ceil(rows / stride), Math.ceil(columns / stride), block.outputShape[2]]);
  }
  return shapes;
}

/** Work of the copy of a block after pooling, as a fraction of the live block's. */
export function workAt(live: readonly BackboneBlock[], index: number, size: number): number {
  const [rows, columns] = at(pooledShapes(live, size), index + 1, 'shape in the chain');
  const [height, width] = at(live, index, 'block of the chain').block.outputShape;
  return (rows * columns) / (height * width);
}

const strideOf = ({ inputShape, outputShape }: Block) => Math.round(inputShape[0] / outputShape[0]);

const notResizable = ({ name }: Block, decorator: string) =>
  new LocalgradError(
    'invalid-option',
    `${decorator}: option 'chainPool' needs blocks that exist for other resolutions, which '${name}' does not (its 'resize' is missing); use chainPool: 1.`,
    { block: name },
  );

/** @throws LocalgradError `invalid-option` where the maps of a module cannot be pooled before its chain */
export function checkPool(
  { name }: Module,
  live: readonly BackboneBlock[],
  { chainPool, decorator }: { readonly chainPool: number; readonly decorator: string },
): void {
  const [first] = live;
  if (chainPool === 1 || first === undefined) return;
  const missing = live.find(({ block }) => block.resize === undefined);
  if (missing !== undefined) throw notResizable(missing.block, decorator);
  const [height, width] = first.block.inputShape;
  const stride = live.reduce((product, { block }) => product * strideOf(block), 1);
  if ([height, width].every((side) => side % chainPool === 0 && side / chainPool >= stride)) return;
  throw new LocalgradError(
    'invalid-option',
    `${decorator}: option 'chainPool' is ${chainPool}, but the chain after module ${name} reduces maps of ${height}×${width} by ${stride}; allowed: divisors of both sides up to a ${stride}th of them.`,
    { chainPool, module: name, height, width, stride },
  );
}

function copyValues(from: Block, to: Block): void {
  const source = [...from.parameters, ...from.statistics];
  [...to.parameters, ...to.statistics].forEach((parameter, index) => {
    const value = source[index]?.value;
    if (value !== undefined) parameter.assign(value.clone());
  });
}
