import { at, type Block, type ParameterScope, type Shape3 } from '@localgrad/core';
import { sequential } from '@localgrad/nn/blocks';
import { GraphBlock, type GraphStep } from './blocks/graph-block.js';
import { joinOf } from './blocks/joins.js';
import { layerBlocks } from './blocks/layer-blocks.js';
import { type BlockOptions, LayerContext } from './blocks/layer-context.js';
import { identity, reshaping } from './blocks/shapes.js';
import type { Segment } from './segments.js';

/**
 * The block of a segment, named after its last layer, with parameters `<layer>.…` in the scope. Copies have freshly
 * initialized weights.
 *
 * @param inputShape feature map that enters; reshaped for layers that read it with other axes
 */
export function segmentBlock(
  segment: Segment,
  inputShape: Shape3,
  scope: ParameterScope,
  options: BlockOptions,
): Block {
  const { nodes, start } = segment;
  const name = at(nodes, nodes.length - 1, 'layer').name;
  const replicate = (place: ParameterScope) => segmentBlock(segment, inputShape, place, { ...options, source: {} });
  const chains = chainsOf(segment);
  const steps: GraphStep[] = [];
  /** Index of the step that computes each node's output. */
  const stepOf = new Map<number, number>();
  for (const chain of chains) {
    const first = at(chain, 0, 'layer');
    const inputs = at(nodes, first, 'layer').inputs.map((input) =>
      input < start ? -1 : (stepOf.get(input - start) ?? -1),
    );
    const contexts = chain.map((index) => {
      const node = at(nodes, index, 'layer');
      // The gradient of every block's input but the first one's is needed, whatever precedes it.
      return new LayerContext({ ...node, followsWeights: node.followsWeights || start > 0 }, scope, options);
    });
    const [context] = contexts;
    if (context !== undefined && inputs.length > 1) {
      const read = inputs.map((input, position) => {
        const shape = at(context.node.inputShapes, position, 'input');
        const [reshaped] = input < 0 ? reshaping(`${context.name}_input`, inputShape, context.mapOf(shape)) : [];
        return reshaped === undefined ? input : steps.push({ apply: reshaped, inputs: [input] }) - 1;
      });
      steps.push({ apply: joinOf(context), inputs: read });
      contexts.shift();
      stepOf.set(first, steps.length - 1);
    }
    if (contexts.length === 0) continue;
    const shape = inputs.includes(-1) && inputs.length === 1 ? inputShape : at(contexts, 0, 'layer').inputShape;
    const blocks = blocksOf(contexts, shape);
    const source = inputs.length > 1 ? [steps.length - 1] : inputs;
    steps.push({ apply: sequential(at(contexts, contexts.length - 1, 'layer').name, blocks), inputs: source });
    for (const index of chain) stepOf.set(index, steps.length - 1);
  }
  const [only, ...others] = steps;
  if (only !== undefined && others.length === 0 && 'vjp' in only.apply)
    return sequential(name, [only.apply], replicate);
  const { outputShape } = at(steps, steps.length - 1, 'step').apply;
  return new GraphBlock({ name, inputShape, outputShape, steps, replicate });
}

/** The blocks of a chain of layers; at least one. */
function blocksOf(contexts: readonly LayerContext[], inputShape: Shape3): Block[] {
  const blocks: Block[] = [];
  let shape = inputShape;
  for (const context of contexts) {
    const own = layerBlocks(context);
    const expected = own[0]?.inputShape ?? context.inputShape;
    blocks.push(...reshaping(`${context.name}_input`, shape, expected), ...own);
    shape = own.at(-1)?.outputShape ?? expected;
  }
  return blocks.length > 0 ? blocks : [identity(at(contexts, 0, 'layer').name, inputShape)];
}

/** Longest sequences of nodes of which each is read by the next one only; indexes within the segment. */
function chainsOf({ nodes, start }: Segment): number[][] {
  const readers = new Map<number, number>();
  for (const { inputs } of nodes)
    for (const input of inputs) readers.set(input - start, (readers.get(input - start) ?? 0) + 1);
  const chains: number[][] = [];
  for (const [index, { inputs }] of nodes.entries()) {
    const [source = -1, ...others] = inputs.map((input) => input - start);
    const chain = chains.find((one) => one.at(-1) === source);
    if (chain !== undefined && others.length === 0 && readers.get(source) === 1) chain.push(index);
    else chains.push([index]);
  }
  return chains;
}
