import type { Block } from './block.js';
import type { Clock } from './clock.js';
import { LocalgradError } from './errors.js';
import type { HeadFactory } from './head.js';
import type { Parameter } from './parameter.js';
import type { PlanState, StateDeclaration } from './state.js';

/** Modules `from … to`, both included: a loss on the output of `to` trains these and no others. */
export type Span = readonly [from: number, to: number];

/**
 * What an objective is for, in reports and for decorators that choose by it. `independent`: a module's own loss;
 * `final`: the loss of the network's last layer. Decorators may introduce roles of their own, e.g. `cascaded`.
 */
export type ObjectiveRole = 'independent' | 'final' | (string & {});

/** A factor on a loss: a number, or a function of the clock. */
export type Weight = number | ((clock: Clock) => number);

/** A head by key: objectives on the same module with equal keys share one head, which is then evaluated once. */
export interface HeadReference {
  readonly key: string;
  /** Absent for the backbone's own classifier (key `classifier`). */
  readonly factory?: HeadFactory;
}

/** One loss: reads the output of module `span[1]`, and sends its gradient back to module `span[0]`. */
export interface Objective {
  readonly id: string;
  readonly role: ObjectiveRole;
  readonly span: Span;
  readonly weight: Weight;
  readonly head: HeadReference;
}

/** What a hook sees after the optimizer step. */
export interface StepContext {
  /** The clock of the step that has just ended. */
  readonly clock: Clock;
  /** Every parameter and statistic of network and heads by name. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The state that the plan declares. */
  readonly state: PlanState;
}

/** Changes parameters or state after the optimizer step. */
export interface AfterStepHook {
  readonly name: string;
  afterStep(context: StepContext): void;
}

/**
 * A stretch of training in which only part of a plan is active. Objectives that are not active cost nothing, and their
 * heads do not change. A frozen module runs forward with batch statistics, but neither its weights nor its optimizer
 * state nor its running statistics change, and it costs no weight gradient.
 */
export interface Phase {
  readonly name: string;
  /** Ids of the active objectives; default: all. */
  readonly objectives?: readonly string[];
  /** Indices of the frozen modules; default: none. */
  readonly frozen?: readonly number[];
}

/** Divides training into phases: sequential training of modules, freezing after an epoch. */
export interface PhaseRule {
  /** All phases that can occur; each is compiled once. */
  readonly phases: readonly Phase[];
  /** Name of the phase of a step. Must be a pure function of its arguments. */
  phaseAt(clock: Clock, state: PlanState): string;
}

/** Where a block stands: module index, and index of the block within the module. */
export interface BlockPlace {
  readonly module: number;
  readonly index: number;
}

/** What to train and how far each gradient reaches; plain data that can be printed before a step is run. */
export interface TrainingPlan {
  /** The method's name as an expression. */
  readonly method: string;
  readonly objectives: readonly Objective[];
  readonly hooks: readonly AfterStepHook[];
  /** Default: one phase, in which everything is active. */
  readonly phases?: PhaseRule;
  /** State that hooks and phases keep from step to step. */
  readonly state?: readonly StateDeclaration[];
  /**
   * Replaces a block of the network in training steps: same shapes, same parameters, e.g. with other updates of its
   * running statistics. Evaluation uses the network's own blocks.
   */
  rewriteBlock?(block: Block, place: BlockPlace): Block;
}

/** The backbone's own classifier as head of an objective. */
export const classifierHead: HeadReference = { key: 'classifier' };

/** The objective that every method ends with: the classifier on the last module. */
export function finalObjective(modules: number, from: number = modules - 1): Objective {
  return { id: 'final', role: 'final', span: [from, modules - 1], weight: 1, head: classifierHead };
}

export function weightAt(weight: Weight, clock: Clock): number {
  return typeof weight === 'number' ? weight : weight(clock);
}

/** Whether a plan is end-to-end training (backpropagation): every gradient reaches through all modules. */
export function isEndToEnd(objectives: readonly Pick<Objective, 'span'>[], modules: number): boolean {
  return objectives.every(({ span: [from, to] }) => from === 0 && to === modules - 1);
}

/** The objective whose loss is the network's own: the last one with role `final`, else the last on the last module. */
export function classifierObjective<O extends Pick<Objective, 'role' | 'span'>>(
  objectives: readonly O[],
): O | undefined {
  const last = Math.max(-1, ...objectives.map(({ span }) => span[1]));
  return objectives.findLast(({ role }) => role === 'final') ?? objectives.findLast(({ span }) => span[1] === last);
}

/** Checks a plan against the number of modules. @throws LocalgradError `invalid-plan` */
export function validatePlan(plan: TrainingPlan, modules: number): void {
  const fail = (message: string, details: Record<string, unknown>): never => {
    throw new LocalgradError('invalid-plan', `Plan of '${plan.method}': ${message}`, details);
  };
  if (plan.objectives.length === 0) fail('it has no objective; at least one is needed.', {});
  const ids = new Set<string>();
  const heads = new Map<string, { module: number; factory: HeadFactory | undefined }>();
  for (const objective of plan.objectives) {
    const { id, head } = objective;
    const [from, to] = objective.span;
    if (ids.has(id)) fail(`objective id '${id}' is used twice; ids must differ.`, { id });
    ids.add(id);
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to >= modules || from > to) {
      fail(`objective '${id}' has span [${from}, ${to}]; allowed: 0 ≤ from ≤ to ≤ ${modules - 1}.`, {
        id,
        span: [from, to],
        modules,
      });
    }
    if (typeof objective.weight === 'number' && !(Number.isFinite(objective.weight) && objective.weight >= 0)) {
      fail(`objective '${id}' has weight ${objective.weight}; allowed: finite numbers ≥ 0.`, {
        id,
        weight: objective.weight,
      });
    }
    if (head.factory === undefined && head.key !== classifierHead.key) {
      fail(`objective '${id}' names head '${head.key}' without a factory; only '${classifierHead.key}' has none.`, {
        id,
        head: head.key,
      });
    }
    if (head.factory === undefined && to !== modules - 1) {
      fail(`objective '${id}' puts the classifier on module ${to}; it belongs on the last one (${modules - 1}).`, {
        id,
      });
    }
    const known = heads.get(head.key);
    if (known === undefined) heads.set(head.key, { module: to, factory: head.factory });
    else if (known.module !== to) {
      fail(`head '${head.key}' is read at modules ${known.module} and ${to}; a head sits on one module.`, {
        head: head.key,
      });
    } else if (known.factory !== head.factory) {
      fail(`head key '${head.key}' stands for two factories; use two keys.`, { head: head.key });
    }
  }
  checkPhases(plan, ids, modules, fail);
  const names = (plan.state ?? []).map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) fail(`state '${repeated}' is declared twice; names must differ.`, { name: repeated });
}

function checkPhases(
  plan: TrainingPlan,
  ids: ReadonlySet<string>,
  modules: number,
  fail: (message: string, details: Record<string, unknown>) => never,
): void {
  const { phases } = plan.phases ?? { phases: [] };
  if (plan.phases !== undefined && phases.length === 0) fail('it has a phase rule without phases.', {});
  for (const [index, { name, objectives = [...ids], frozen = [] }] of phases.entries()) {
    if (phases.findIndex((other) => other.name === name) !== index) {
      fail(`phase name '${name}' is used twice; names must differ.`, { phase: name });
    }
    const unknown = objectives.find((id) => !ids.has(id));
    if (unknown !== undefined) {
      fail(`phase '${name}' names objective '${unknown}'; allowed: ${[...ids].join(', ')}.`, { phase: name });
    }
    if (objectives.length === 0)
      fail(`phase '${name}' has no active objective; at least one is needed.`, { phase: name });
    const outside = frozen.find((module) => !Number.isInteger(module) || module < 0 || module >= modules);
    if (outside !== undefined) {
      fail(`phase '${name}' freezes module ${outside}; allowed: 0 to ${modules - 1}.`, {
        phase: name,
        module: outside,
      });
    }
  }
}
