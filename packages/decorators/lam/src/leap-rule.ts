import { at, type BackboneBlock, type BlockReference, type Network, type Shape3, sameShape } from '@localgrad/core';

/**
 * The rule that generalizes the published tables: the first block of every later stage, then evenly spaced blocks of
 * the last stage, up to `maximumLength`, ending with the network's last block.
 *
 * If these shapes do not match in sequence, because stages end with pooling or the stem changes the number of channels,
 * the chain contains all later blocks that change the shape instead of the first blocks of stages.
 *
 * @returns references in forward order; empty after the last block
 */
export function ruleChain({ backbone, modules }: Network, module: number, maximumLength: number): BlockReference[] {
  const last = modules[module]?.members.at(-1);
  const position = last === undefined ? -1 : backbone.blocks.indexOf(last);
  const stage = last?.reference[0] ?? 0;
  const later = backbone.blocks.slice(position + 1);
  // A stem's chain skips stage 1, which preserves its input's shape, as in the published tables.
  const isFirst = ({ reference: [s, index] }: BackboneBlock) => index === 0 && s > Math.max(stage, 1);
  const byStage = complete(later, later.filter(isFirst), maximumLength);
  const start = last?.block.outputShape ?? backbone.inputShape;
  if (fits(start, byStage)) return byStage.map(({ reference }) => reference);
  const changing = later.filter(({ block }) => !sameShape(block.inputShape, block.outputShape));
  return complete(later, changing, maximumLength).map(({ reference }) => reference);
}

/** The block after a module; none after the last module. */
export function nextBlock({ modules }: Network, module: number): BlockReference[] {
  return (modules[module + 1]?.members ?? []).slice(0, 1).map(({ reference }) => reference);
}

/**
 * Adds evenly spaced blocks of the last stage to the required blocks, in forward order. The network's last block always
 * ends the chain.
 */
function complete(
  later: readonly BackboneBlock[],
  required: readonly BackboneBlock[],
  maximumLength: number,
): BackboneBlock[] {
  const end = later.at(-1);
  const lastStage = end?.reference[0];
  const fill = later.filter((one) => one.reference[0] === lastStage && !required.includes(one));
  const least = end === undefined || required.includes(end) ? 0 : 1;
  const room = Math.max(maximumLength - required.length, least);
  const chosen = new Set([...required, ...spread(fill, Math.min(room, fill.length))]);
  return later.filter((one) => chosen.has(one));
}

function fits(start: Shape3, chain: readonly BackboneBlock[]): boolean {
  let shape = start;
  return chain.every(({ block }) => {
    const isFit = sameShape(block.inputShape, shape);
    shape = block.outputShape;
    return isFit;
  });
}

/** Selects `count` evenly spaced items, including the last one. */
function spread<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, index) => {
    const position = Math.round(((index + 1) * items.length) / count) - 1;
    return at(items, position, 'block');
  });
}
