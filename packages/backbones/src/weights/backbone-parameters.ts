import type { Backbone, Block, Head, Network, Parameter } from '@localgrad/core';
import type { Layouted } from '@localgrad/nn/serialization';

/** A network or backbone whose weights are loaded or written. */
export type WeightsOwner = Backbone | Network;

export function backboneOf(owner: WeightsOwner): Backbone {
  return 'backbone' in owner ? owner.backbone : owner;
}

/** Weights and running statistics of blocks and classifier by name, in the order of PyTorch's `state_dict`. */
export function backboneParameters(owner: WeightsOwner): Map<string, Parameter> {
  const { blocks, classifier } = backboneOf(owner);
  return inModuleOrder(parametersOf([...blocks.map(({ block }) => block), classifier]));
}

/** Weights and running statistics by name. */
export function parametersOf(
  parts: readonly Pick<Block | Head, 'parameters' | 'statistics'>[],
): Map<string, Parameter> {
  const all = parts.flatMap(({ parameters, statistics }) => [...parameters, ...statistics]);
  return new Map(all.map((parameter) => [parameter.name, parameter]));
}

/** Reads a parameter's values, in our layout. */
export async function valuesOf({ value, shape }: Parameter): Promise<Layouted> {
  // A copy, because some backends return their own memory, which later steps overwrite.
  return { shape, data: Float32Array.from(await value.data<'float32'>()) };
}

/** Reorders parameters: blocks list weights before statistics, whereas PyTorch keeps those of a layer together. */
function inModuleOrder(parameters: ReadonlyMap<string, Parameter>): Map<string, Parameter> {
  const layers = new Map<string, [string, Parameter][]>();
  for (const entry of parameters) {
    const layer = entry[0].slice(0, entry[0].lastIndexOf('.'));
    const members = layers.get(layer);
    if (members === undefined) layers.set(layer, [entry]);
    else members.push(entry);
  }
  return new Map([...layers.values()].flat());
}
