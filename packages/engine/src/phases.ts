import {
  type Clock,
  callOwn,
  LocalgradError,
  type Network,
  type Objective,
  type Phase,
  type PlanState,
  shown,
  type TrainingPlan,
} from '@localgrad/core';
import { type CompiledHead, readsModuleInput } from './heads.js';
import { compileSchedule, type Instruction, type MemoryPolicy, trainedStart } from './schedule.js';
import { findSharedWeights, type SharedWeights } from './shared-weights.js';
import { taughtModules } from './taught-heads.js';

/** An objective that is active in a phase. */
export interface ActiveObjective extends Objective {
  /** The lowest module that it trains in this phase; undefined if all modules of its span are frozen. */
  readonly start: number | undefined;
}

/** A head with its active objectives in a phase. */
export interface ActiveHead extends CompiledHead {
  /** The objectives that are active in the phase. */
  readonly objectives: readonly ActiveObjective[];
}

/** A phase with its schedule. */
export interface CompiledPhase {
  /** Name of the phase. */
  readonly name: string;
  /** Indices of the frozen modules. */
  readonly frozen: ReadonlySet<number>;
  /** The active objectives, in the plan's order. */
  readonly objectives: readonly ActiveObjective[];
  /** Heads by module index, each evaluated once per step. */
  readonly heads: ReadonlyMap<number, readonly ActiveHead[]>;
  /** Modules with heads that learn to synthesize the gradient of the module's output. */
  readonly taught: ReadonlySet<number>;
  /** Instructions of one step. */
  readonly schedule: readonly Instruction[];
  /** Whether modules after the plan's range run in this phase; only in a part of a plan. */
  readonly continues: boolean;
  /** Weights that receive gradients from several heads or modules. */
  readonly shared: SharedWeights;
}

/** The only phase of plans without a phase rule. */
const always: Phase = { name: 'training' };

/** Compiles one schedule per phase. @param objectives those with nonzero weight, in the plan's order */
export function compilePhases(
  plan: TrainingPlan,
  objectives: readonly Objective[],
  heads: ReadonlyMap<number, readonly CompiledHead[]>,
  network: Network,
  memory: MemoryPolicy,
): CompiledPhase[] {
  return (plan.phases?.phases ?? [always]).map((phase) => {
    const frozen = new Set(phase.frozen);
    const isActive = ({ id }: Objective) => phase.objectives === undefined || phase.objectives.includes(id);
    const activate = (all: readonly Objective[]) =>
      all.filter(isActive).map((objective) => ({ ...objective, start: trainedStart(objective.span, frozen) }));
    const active = activate(objectives);
    if (active.length === 0) {
      throw new LocalgradError(
        'invalid-plan',
        `Plan of '${plan.method}': every active objective of phase '${phase.name}' has weight 0; at least one weight must be positive.`,
        { phase: phase.name },
      );
    }
    const activeHeads = new Map<number, ActiveHead[]>();
    for (const [module, group] of heads) {
      const present = group
        .map((compiled) => ({ ...compiled, objectives: activate(compiled.objectives) }))
        .filter((compiled) => compiled.objectives.length > 0);
      if (present.length > 0) activeHeads.set(module, present);
    }
    const spans = active.map(({ span }) => span);
    const readers = [...activeHeads].flatMap(([module, group]) =>
      group.some(({ head }) => readsModuleInput(head)) ? [module] : [],
    );
    const taught = taughtModules({ name: phase.name, objectives: active, heads: activeHeads }, plan, network);
    const options = { inputReaders: new Set(readers), taught };
    const schedule = compileSchedule(spans, network.modules.length, memory, frozen, options);
    const isTrained = (module: number) =>
      !frozen.has(module) && spans.some(([from, to]) => from <= module && module <= to);
    const shared = findSharedWeights(network, [...activeHeads.values()].flat(), frozen, isTrained);
    return {
      name: phase.name,
      frozen,
      objectives: active,
      heads: activeHeads,
      taught,
      schedule,
      continues: false,
      shared,
    };
  });
}

/** The phase of a step. @throws LocalgradError `invalid-plan` when the plan's rule returns an unlisted phase */
export function phaseAt(
  plan: TrainingPlan,
  phases: readonly CompiledPhase[],
  clock: Clock,
  state: PlanState,
): CompiledPhase {
  const name = nameAt(plan, clock, state);
  const phase = phases.find((one) => one.name === name);
  if (phase !== undefined) return phase;
  throw new LocalgradError(
    'invalid-plan',
    `Plan of '${plan.method}': phaseAt returned ${shown(name)} at step ${clock.step}; its phases are ${phases.map((one) => one.name).join(', ')}.`,
    { phase: name, step: clock.step },
  );
}

function nameAt({ method, phases }: TrainingPlan, clock: Clock, state: PlanState): unknown {
  if (phases === undefined) return always.name;
  return callOwn(`Plan of '${method}': phaseAt`, () => phases.phaseAt(clock, state));
}
