import type { Head, Network, Objective, Parameter, ParameterScope } from '@localgrad/core';
import { headCostOf } from '@localgrad/nn/cost';
import { sharedScope } from './shared-scope.js';

/** A built head and the objectives that read it. */
export interface CompiledHead {
  readonly key: string;
  readonly module: number;
  readonly head: Head;
  readonly objectives: readonly Objective[];
}

/** `head 'leap+0c1f' (module2.leap) on module 2 (1,2)`: describes a head in messages. */
export function headPlace({ key, module, head }: Omit<CompiledHead, 'objectives'>, { modules }: Network): string {
  return `head '${head.name}' (${key}) on module ${module} ${modules[module]?.name ?? ''}`;
}

/** Names of the targets that a head reads. */
export function targetsOf({ reads = ['labels'] }: Head): readonly string[] {
  return reads;
}

/** Builds each head once, and groups the objectives that share it. */
export function groupObjectives(
  objectives: readonly Objective[],
  network: Network,
  scope: ParameterScope,
): Map<number, CompiledHead[]> {
  const byKey = new Map<string, [Objective, ...Objective[]]>();
  for (const objective of objectives) {
    const group = byKey.get(objective.head.key);
    if (group === undefined) byKey.set(objective.head.key, [objective]);
    else group.push(objective);
  }
  const common = new Map<string, Map<string, Parameter>>();
  const sharedBy = ({ head: { shares } }: Objective, key: string): ParameterScope | undefined => {
    if (shares === undefined) return undefined;
    const known = common.get(shares.key) ?? new Map<string, Parameter>();
    common.set(shares.key, known);
    return sharedScope(scope.scope(shares.key), scope.scope(key), known);
  };
  const result = new Map<number, CompiledHead[]>();
  for (const [key, group] of byKey) {
    const [first] = group;
    const module = first.span[1];
    const head = buildHead(first, module, network, { own: scope.scope(key), shared: sharedBy(first, key) });
    const compiled = { key, module, head, objectives: group };
    result.set(module, [...(result.get(module) ?? []), compiled]);
  }
  // Heads with the highest peak memory run first, while no other head's cotangent is stored.
  const hunger = ({ head }: CompiledHead) => headCostOf(head).evaluatePeakBytes(1);
  for (const group of result.values()) group.sort((a, b) => hunger(b) - hunger(a));
  return result;
}

interface HeadScopes {
  readonly own: ParameterScope;
  readonly shared: ParameterScope | undefined;
}

function buildHead(objective: Objective, module: number, network: Network, { own, shared }: HeadScopes): Head {
  const { factory } = objective.head;
  if (factory === undefined) return network.backbone.classifier;
  const at = (index: number) => network.modules[index]?.outputShape ?? network.imageShape;
  return factory.build(
    {
      module,
      modules: network.modules.length,
      inputShape: at(module),
      finalShape: at(network.modules.length - 1),
      classes: network.classes,
      imageShape: network.imageShape,
      ...(shared === undefined ? {} : { shared }),
    },
    own,
  );
}
