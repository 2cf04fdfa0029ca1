import { at, get, type Parameter, type Shape3 } from '@localgrad/core';
import { batchTargetsOf, type CompiledPlan, type HeadAverage } from '@localgrad/engine';

/** A head with a moving average of a weight of another module. */
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
  /** Why the average cannot follow the weight from another worker; absent if it can. */
  readonly obstacle?: string;
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
  /** Number of gradients of the activations that cross backward per micro-batch, in the phase with the most. */
  readonly cotangents: number;
  /** Number of steps by which these gradients are used late. */
  readonly delay: number;
  /** Weights that an average on the other side follows, and that cross after each step. */
  readonly followed: readonly FollowedWeight[];
  /** Names of the parameters that heads or modules on both sides use. */
  readonly shared: readonly string[];
  /** Whether nothing but activations and targets crosses, and nothing crosses backward. */
  readonly isFree: boolean;
  /** Whether different workers can train the two sides. Unless the cut is free, they wait for each other. */
  readonly isPossible: boolean;
}

/** What crosses each of the K − 1 cuts between the modules of a plan, over all phases. */
export function crossingsOf(compiled: CompiledPlan): Crossing[] {
  const { modules } = compiled.network;
  const users = usersOf(compiled);
  const followed = followedWeights(compiled);
  return modules.slice(1).map(({ index: cut }): Crossing => {
    const separates = (a: number, b: number) => Math.min(a, b) < cut && cut <= Math.max(a, b);
    const gradients = compiled.objectives.filter(({ id }) =>
      compiled.phases.some(({ objectives, taught }) =>
        objectives.some(
          ({ id: other, start, span }) =>
            other === id &&
            start !== undefined &&
            (separates(start, span[1]) || (start === cut && taught.has(cut - 1))),
        ),
      ),
    );
    const weights = followed.filter(({ module, liveModule }) => separates(module, liveModule));
    const cotangents = cotangentsAt(compiled, cut);
    const { gradientDelay } = compiled;
    const delay = gradientDelay?.cuts.includes(cut) === true ? gradientDelay.steps : 0;
    // A worker has whole segments, between which gradients are late.
    const isInside = gradientDelay !== undefined && gradients.length > 0 && delay === 0;
    const shared = [...users].filter(([, uses]) => separates(Math.min(...uses), Math.max(...uses)));
    return {
      cut,
      activation: at(modules, cut - 1, 'module').outputShape,
      targets: targetsAfter(compiled, cut),
      gradients: gradients.map(({ id }) => id),
      cotangents,
      delay,
      followed: weights,
      shared: shared.map(([{ name }]) => name),
      isFree: gradients.length + weights.length + shared.length === 0,
      isPossible: !isInside && shared.length === 0 && weights.every(({ obstacle }) => obstacle === undefined),
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

/** The averages that follow weights of other modules. */
export function followedWeights({ averages, heads, network }: CompiledPlan): FollowedWeight[] {
  const moduleOf = new Map([...heads].flatMap(([module, group]) => group.map(({ key }) => [key, module] as const)));
  const owners = new Map<Parameter, number>();
  for (const { index, blocks } of network.modules) {
    for (const parameter of blocks.flatMap((block) => block.parameters)) owners.set(parameter, index);
  }
  for (const [module, group] of heads) {
    for (const parameter of group.flatMap(({ head }) => head.parameters)) {
      if (!owners.has(parameter)) owners.set(parameter, module);
    }
  }
  const averaged = new Set(averages.map(({ average }) => average));
  // With momentum 1, an average keeps its initial values.
  return averages
    .filter(({ momentum }) => momentum !== 1)
    .map((one) => ({
      head: one.head,
      module: get(moduleOf, one.head, 'head'),
      live: one.live.name,
      liveModule: get(owners, one.live, 'owner'),
      size: one.live.size,
      ...obstacleOf(one, averaged, averages),
    }))
    .filter(({ module, liveModule }) => module !== liveModule);
}

/** A worker moves averages of another's weights after the step: nothing within the step may depend on them. */
function obstacleOf(
  { average, live, when }: HeadAverage,
  averaged: ReadonlySet<Parameter>,
  all: readonly HeadAverage[],
): Pick<FollowedWeight, 'obstacle'> {
  if (averaged.has(live)) return { obstacle: 'that weight is an average itself' };
  if (all.some((other) => other.live === average)) return { obstacle: 'another average follows its average' };
  const isTrained = average.kind === 'weight' && when === 'beforeUpdate';
  return isTrained ? { obstacle: 'its average is trained and moves before the update' } : {};
}

/** Gradients of the activations before a module that leave it, in the phase with the most. */
function cotangentsAt({ phases }: CompiledPlan, cut: number): number {
  return Math.max(
    ...phases.map(
      ({ schedule }) =>
        schedule.filter(
          (one) =>
            one.module === cut &&
            (one.op === 'send' || (one.op === 'finish' && (one.sendTo !== undefined || one.teaches === true))),
        ).length,
    ),
  );
}

function targetsAfter({ heads }: CompiledPlan, cut: number): string[] {
  const later = [...heads].filter(([module]) => module >= cut).flatMap(([, group]) => group);
  return [...new Set(later.flatMap(({ head }) => batchTargetsOf(head)))].sort();
}
