import type { BlockReference, Network } from '@localgrad/core';

/**
 * The rule that generalises the published tables (methods.md §5.4): the first block of every later stage, then blocks of
 * the last stage, evenly spaced, up to `maximumLength`, the network's very last block at the end.
 *
 * @returns references in the order in which they are run; empty after the last block
 */
export function ruleChain({ backbone, modules }: Network, module: number, maximumLength: number): BlockReference[] {
  const last = modules[module]?.members.at(-1);
  const position = last === undefined ? -1 : backbone.blocks.indexOf(last);
  const stage = last?.reference[0] ?? 0;
  const later = backbone.blocks.slice(position + 1).map(({ reference }) => reference);
  const lastStage = later.at(-1)?.[0];
  if (lastStage === undefined) return [];
  // Without a stem stage of its own the first stage keeps its input's shape: leaping over it is what the tables do.
  const transitions = later.filter(([s, index]) => index === 0 && s > Math.max(stage, 1));
  const fill = later.filter((reference) => reference[0] === lastStage && !transitions.includes(reference));
  // The very last block always ends the chain.
  const room = Math.max(maximumLength - transitions.length, 1);
  return [...transitions, ...spread(fill, Math.min(room, fill.length))];
}

/** `count` of the items, evenly spaced, the last one among them. */
function spread<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, index) => {
    const position = Math.round(((index + 1) * items.length) / count) - 1;
    return items[position] as T;
  });
}
