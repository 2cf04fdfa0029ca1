import { at, get, type Parameter, type Shape3 } from '@localgrad/core';
import { batchTargetsOf, type CompiledPlan } from '@localgrad/engine';

/** A head with a moving average of a weight on the other side of a cut. */
export interface FollowedWeight {
  /** Key of the head. */
  readonly head: string;
  /** Index of the module whose output the head reads. */
  readonly module: number;
  /** Name of the weight that the average follows. */
  readonly live: string;
  /** Index of the module that the weight belongs to. */
  readonly liveModule: number;
  /** Number of values. */
  readonly size: number;
}

/** What crosses a cut between two modules in a training step. */
export interface Crossing {
  /** Index of the first module after the cut. */
  readonly cut: number;
  /** Shape [height, width, channels] of one sample of the activations that cross forward. */
  readonly activation: Shape3;
  /** Names of the targets that later heads read. They cross forward with the activations. */
  readonly targets: readonly string[];
  /** Ids of the losses whose gradients cross backward. */
  readonly gradients: readonly string[];
  /** Weights that an average on the other side follows, and that cross after each step. */
  readonly followed: readonly FollowedWeight[];
  /** Names of the parameters that heads or modules on both sides use. */
  readonly shared: readonly string[];
  /** Whether nothing but activations and targets crosses, and nothing crosses backward. */
  readonly isFree: boolean;
}

/** What crosses each of the K − 1 cuts between the modules of a plan, over all phases. */
export function crossingsOf(compiled: CompiledPlan): Crossing[] {
  const { modules } = compiled.network;
  const users = usersOf(compiled);
  const followed = followedWeights(compiled, users);
  return modules.slice(1).map(({ index: cut }): Crossing => {
    const separates = (a: number, b: number) => Math.min(a, b) < cut && cut <= Math.max(a, b);
    const gradients = compiled.objectives.filter(({ id }) =>
      compiled.phases.some(({ objectives }) =>
        objectives.some(
          ({ id: other, start, span }) => other === id && start !== undefined && separates(start, span[1]),
        ),
      ),
    );
    const weights = followed.filter(({ module, liveModule }) => separates(module, liveModule));
    const shared = [...users].filter(([, uses]) => separates(Math.min(...uses), Math.max(...uses)));
    return {
      cut,
      activation: at(modules, cut - 1, 'module').outputShape,
      targets: targetsAfter(compiled, cut),
      gradients: gradients.map(({ id }) => id),
      followed: weights,
      shared: shared.map(([{ name }]) => name),
      isFree: gradients.length + weights.length + shared.length === 0,
    };
  });
}

/** The modules that use each parameter: their own blocks, or a head on their output. */
function usersOf({ network, heads }: CompiledPlan): Map<Parameter, Set<number>> {
  const users = new Map<Parameter, Set<number>>();
  const use = (module: number, parameters: readonly Parameter[]) => {
    for (const parameter of parameters) users.set(parameter, (users.get(parameter) ?? new Set<number>()).add(module));
  };
  for (const { index, blocks } of network.modules) {
    for (const { parameters, statistics } of blocks) use(index, [...parameters, ...statistics]);
  }
  for (const [module, group] of heads) {
    for (const { head } of group) use(module, [...head.parameters, ...head.statistics, ...(head.state ?? [])]);
  }
  return users;
}

function followedWeights(
  { averages, heads }: CompiledPlan,
  users: ReadonlyMap<Parameter, ReadonlySet<number>>,
): FollowedWeight[] {
  const moduleOf = new Map([...heads].flatMap(([module, group]) => group.map(({ key }) => [key, module] as const)));
  // With momentum 1, an average keeps its initial values.
  return averages
    .filter(({ momentum }) => momentum !== 1)
    .map(({ head, live }) => ({
      head,
      module: get(moduleOf, head, 'head'),
      live: live.name,
      liveModule: Math.max(...(users.get(live) ?? [0])),
      size: live.size,
    }));
}

function targetsAfter({ heads }: CompiledPlan, cut: number): string[] {
  const later = [...heads].filter(([module]) => module >= cut).flatMap(([, group]) => group);
  return [...new Set(later.flatMap(({ head }) => batchTargetsOf(head)))].sort();
}
