import {
  decoratedName,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  type Objective,
  type Phase,
  rejectUnknownKeys,
  requireOption,
  type TrainingPlan,
} from '@localgrad/core';
import { headFactory, type NamedHeadFactory } from '@localgrad/nn/heads';
import { MergedModules } from './merged-modules.js';

export interface DeepSupervisionOptions {
  /** Modules, from 0, on whose output there is a loss. Each is trained as one with the module after it. */
  readonly after: number | readonly number[];
  /** Auxiliary head of these losses, by name (docs/methods/heads.md) or your own; default `auglocal-dgl`. */
  readonly head?: string | NamedHeadFactory;
  /** Weight of these losses; default 0.4. */
  readonly weight?: number;
}

/** Role of the added losses. */
const deepRole = 'deep';

/**
 * Deep supervision (Lee et al., AISTATS 2015; the auxiliary losses of Inception, PSPNet and mmsegmentation): losses in the middle of
 * what a host method trains with one loss, which propagate as far back as that one (docs/methods/deep-supervision.md).
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`; `plan` throws `invalid-option` for modules that the network does not have
 */
export function deepSupervision(of: LocalLearningMethod, options: DeepSupervisionOptions): LocalLearningMethod {
  const { after, head, weight } = readOptions(options);
  const { method: name } = decoratedName('deep-supervision', of);
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'deep-supervision', of: of.config, after: [...after], head: head.name, weight },
    plan: (network) => {
      const last = network.modules.length - 1;
      const outside = after.find((module) => module >= last);
      if (outside !== undefined) {
        throw new LocalgradError(
          'invalid-option',
          last === 0
            ? `${name}: option 'after' is ${after.join(', ')}, but the network has one module; it needs at least 2.`
            : `${name}: option 'after' contains module ${outside}; allowed: ${last === 1 ? '0, the module' : `0 to ${last - 1}, the modules`} before the last.`,
          { after: [...after], modules: network.modules.length },
        );
      }
      const merged = new MergedModules(network, new Set(after));
      return addLosses(name, merged.expand(of.plan(merged.network)), after, { head, weight });
    },
  };
}

/** `deepSupervision` with its options, as a decorator for `compose`. */
export function withDeepSupervision(options: DeepSupervisionOptions): MethodDecorator {
  readOptions(options);
  return (method) => deepSupervision(method, options);
}

function readOptions(options: DeepSupervisionOptions) {
  const where = 'deep-supervision';
  rejectUnknownKeys(where, options, ['after', 'head', 'weight']);
  const { after, head = 'auglocal-dgl', weight = 0.4 } = options;
  const modules: readonly number[] = Array.isArray(after) ? after : [after];
  const isIndex = (module: number) => Number.isInteger(module) && module >= 0;
  const areModules = modules.length > 0 && modules.every(isIndex) && new Set(modules).size === modules.length;
  requireOption(areModules, where, 'after', after, 'a module, from 0, or a list of different ones');
  requireOption(Number.isFinite(weight) && weight > 0, where, 'weight', weight, 'numbers > 0');
  return { after: modules, head: typeof head === 'string' ? headFactory(head) : head, weight };
}

function addLosses(
  method: string,
  plan: TrainingPlan,
  after: readonly number[],
  { head, weight }: { readonly head: NamedHeadFactory; readonly weight: number },
): TrainingPlan {
  const around = new Map(after.map((module) => [module, objectiveAround(module, plan.objectives)]));
  const added = after.map((module): Objective => {
    const id = `module${module}.${deepRole}`;
    const from = around.get(module)?.span[0] ?? module;
    return { id, role: deepRole, span: [from, module], weight, head: { key: id, factory: head } };
  });
  const withAdded = (phase: Phase): Phase => {
    if (phase.objectives === undefined) return phase;
    const active = new Set(phase.objectives);
    const trained = added.filter((_, index) => active.has(around.get(after[index] ?? -1)?.id ?? ''));
    return { ...phase, objectives: [...phase.objectives, ...trained.map(({ id }) => id)] };
  };
  const { phases } = plan;
  return {
    ...plan,
    method,
    objectives: inOrderOfModules(added, plan.objectives),
    ...(phases === undefined ? {} : { phases: { ...phases, phases: phases.phases.map(withAdded) } }),
  };
}

/** Each added loss before the first of the host on a later module; the host's keep their order. */
function inOrderOfModules(added: readonly Objective[], host: readonly Objective[]): Objective[] {
  const all = [...host];
  for (const objective of added.toSorted((a, b) => a.span[1] - b.span[1])) {
    const later = all.findIndex(({ span }) => span[1] > objective.span[1]);
    all.splice(later < 0 ? all.length : later, 0, objective);
  }
  return all;
}

/** The host's loss that trains a module together with the next, the narrowest if there are several. */
function objectiveAround(module: number, objectives: readonly Objective[]): Objective | undefined {
  const length = ({ span: [from, to] }: Objective) => to - from;
  return objectives
    .filter(({ span: [from, to], weight }) => from <= module && to > module && weight !== 0)
    .reduce<Objective | undefined>(
      (best, one) => (best === undefined || length(one) < length(best) ? one : best),
      undefined,
    );
}
