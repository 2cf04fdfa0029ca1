import type { Block } from './block.js';
import type { Clock } from './clock.js';
import { LocalgradError } from './errors.js';
import type { HeadFactory } from './head.js';
import type { Parameter } from './parameter.js';
import { checkStructure } from './plan-structure.js';
import type { PlanState, StateDeclaration } from './state.js';

/** Modules `from` to `to`, inclusive: a loss on the output of `to` trains exactly these modules. */
export type Span = readonly [from: number, to: number];

/**
 * Role of an objective, used in reports and by decorators. `independent`: a module's local loss; `final`: the loss of
 * the network's last layer. Decorators may add other roles, e.g. `cascaded`.
 */
export type ObjectiveRole = 'independent' | 'final' | (string & {});

/** Weight of a loss: a number, or a function of the clock. */
export type Weight = number | ((clock: Clock) => number);

/**
 * Reference to a head by key: objectives on the same module with equal keys share one head, which is evaluated once.
 */
export interface HeadReference {
  /** Identifies the head in its plan; prefix of the names of its parameters. */
  readonly key: string;
  /** Absent for the backbone's own classifier (key `classifier`). */
  readonly factory?: HeadFactory;
  /** Weights that the head has in common with other heads: those with an equal `shares.key`; no others may be shared. */
  readonly shares?: SharedWeightsReference;
}

/** A set of weights that several heads have in common; see `HeadContext.shared`. */
export interface SharedWeightsReference {
  /** Identifies the weights in their plan. */
  readonly key: string;
  /** Gradient of a shared weight: the sum over the heads that are evaluated in a step, or their mean. */
  readonly scale: 'sum' | 'mean';
}

/** A loss on the output of module `span[1]`, whose gradient propagates back to module `span[0]`. */
export interface Objective {
  /** Name of the objective, unique in the plan; the key of its loss in logs. */
  readonly id: string;
  /** Role of the objective in its method. */
  readonly role: ObjectiveRole;
  /** The modules that the loss trains. */
  readonly span: Span;
  /** Factor on the gradient of the loss; scheduled if it is a function. */
  readonly weight: Weight;
  /** The auxiliary network that computes the loss. */
  readonly head: HeadReference;
}

/** Input of a hook after the optimizer step. */
export interface StepContext {
  /** Clock of the step that has just ended. */
  readonly clock: Clock;
  /** All parameters and statistics of the network and its heads, by name. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** State declared by the plan. */
  readonly state: PlanState;
}

/** Changes parameters or state after the optimizer step. */
export interface AfterStepHook {
  /** Name of the hook, for messages. */
  readonly name: string;
  /** Runs after the update of each step. May change parameters and state, but must not read tensors back. */
  afterStep(context: StepContext): void;
}

/**
 * A part of training in which only some objectives and modules are active. Inactive objectives cost nothing, and their
 * heads do not change. A frozen module runs forward with batch statistics, but its weights, optimizer state and running
 * statistics do not change, and no weight gradients are computed for it.
 */
export interface Phase {
  /** Name of the phase, unique in the plan. */
  readonly name: string;
  /** Ids of the active objectives; default: all. */
  readonly objectives?: readonly string[];
  /** Indices of the frozen modules; default: none. */
  readonly frozen?: readonly number[];
}

/** Divides training into phases: sequential training of modules, freezing after an epoch. */
export interface PhaseRule {
  /** All possible phases; each is compiled once. */
  readonly phases: readonly Phase[];
  /** Returns the name of a step's phase. Must be a pure function of its arguments. */
  phaseAt(clock: Clock, state: PlanState): string;
  /**
   * Whether phases follow one another as listed, and none returns. Predicted memory then counts optimizer state of the weights
   * that have been trained up to a phase; otherwise of all. Default false.
   */
  readonly isInOrder?: boolean;
}

/** Position of a block: module index, and index of the block within the module. */
export interface BlockPlace {
  /** Index of the module, from 0. */
  readonly module: number;
  /** Index of the block in its module, from 0. */
  readonly index: number;
}

/** The losses to train with, and how far each gradient propagates. Plain data that can be inspected before training. */
export interface TrainingPlan {
  /** The method's name as an expression. */
  readonly method: string;
  /** The losses, in the order in which they are reported; at least one. */
  readonly objectives: readonly Objective[];
  /** Hooks that run after each optimizer step, in this order. */
  readonly hooks: readonly AfterStepHook[];
  /** Default: one phase in which everything is active. */
  readonly phases?: PhaseRule;
  /** State of hooks and phases that persists between steps. */
  readonly state?: readonly StateDeclaration[];
  /**
   * Replaces a block of the network in training steps, e.g. to change the updates of its running statistics. The
   * replacement must have the same shapes and parameters. Evaluation uses the network's own blocks.
   */
  rewriteBlock?(block: Block, place: BlockPlace): Block;
}

/** The backbone's own classifier as the head of an objective. */
export const classifierHead: HeadReference = { key: 'classifier' };

/** The final objective of a method: the classifier's loss on the last module. */
export function finalObjective(modules: number, from: number = modules - 1): Objective {
  return { id: 'final', role: 'final', span: [from, modules - 1], weight: 1, head: classifierHead };
}

/** The weight of a loss at a position in training. */
export function weightAt(weight: Weight, clock: Clock): number {
  return typeof weight === 'number' ? weight : weight(clock);
}

/** Whether a plan is end-to-end training (backpropagation): every gradient propagates through all modules. */
export function isEndToEnd(objectives: readonly Pick<Objective, 'span'>[], modules: number): boolean {
  return objectives.every(({ span: [from, to] }) => from === 0 && to === modules - 1);
}

/** The objective of the network's own classifier: the last one with role `final`, else the last on the last module. */
export function classifierObjective<O extends Pick<Objective, 'role' | 'span'>>(
  objectives: readonly O[],
): O | undefined {
  const last = Math.max(-1, ...objectives.map(({ span }) => span[1]));
  return objectives.findLast(({ role }) => role === 'final') ?? objectives.findLast(({ span }) => span[1] === last);
}

/** Checks a plan against the number of modules. @throws LocalgradError `invalid-plan` */
export function validatePlan(plan: TrainingPlan, modules: number): void {
  checkStructure(plan);
  const fail = (message: string, details: Record<string, unknown>): never => {
    throw new LocalgradError('invalid-plan', `Plan of '${plan.method}': ${message}`, details);
  };
  if (plan.objectives.length === 0) fail('it has no objectives; at least one is required.', {});
  const ids = new Set<string>();
  const heads = new Map<string, { module: number; factory: HeadFactory | undefined }>();
  for (const objective of plan.objectives) {
    const { id, head } = objective;
    const [from, to] = objective.span;
    if (ids.has(id)) fail(`duplicate objective ID '${id}'; IDs must be unique.`, { id });
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
      fail(`objective '${id}' uses head '${head.key}' without a factory; only '${classifierHead.key}' may omit it.`, {
        id,
        head: head.key,
      });
    }
    if (head.factory === undefined && to !== modules - 1) {
      fail(`objective '${id}' places the classifier on module ${to}; it must be on the last module (${modules - 1}).`, {
        id,
      });
    }
    const known = heads.get(head.key);
    if (known === undefined) heads.set(head.key, { module: to, factory: head.factory });
    else if (known.module !== to) {
      fail(
        `head '${head.key}' is used on modules ${known.module} and ${to}; a head belongs to one module. Use two keys.`,
        {
          head: head.key,
        },
      );
    } else if (known.factory !== head.factory) {
      fail(`head key '${head.key}' is used with two different factories; use two keys.`, { head: head.key });
    }
  }
  checkPhases(plan, ids, modules, fail);
  const names = (plan.state ?? []).map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) fail(`state '${repeated}' is declared twice; names must be unique.`, { name: repeated });
}

function checkPhases(
  plan: TrainingPlan,
  ids: ReadonlySet<string>,
  modules: number,
  fail: (message: string, details: Record<string, unknown>) => never,
): void {
  const { phases } = plan.phases ?? { phases: [] };
  if (plan.phases !== undefined && phases.length === 0)
    fail('its phase rule has no phases; at least one is required.', {});
  for (const [index, { name, objectives = [...ids], frozen = [] }] of phases.entries()) {
    if (phases.findIndex((other) => other.name === name) !== index) {
      fail(`duplicate phase name '${name}'; names must be unique.`, { phase: name });
    }
    const unknown = objectives.find((id) => !ids.has(id));
    if (unknown !== undefined) {
      fail(`phase '${name}' lists unknown objective '${unknown}'; allowed: ${[...ids].join(', ')}.`, { phase: name });
    }
    if (objectives.length === 0)
      fail(`phase '${name}' has no active objectives; at least one is required.`, { phase: name });
    const outside = frozen.find((module) => !Number.isInteger(module) || module < 0 || module >= modules);
    if (outside !== undefined) {
      fail(`phase '${name}' freezes module ${outside}; allowed: 0 to ${modules - 1}.`, {
        phase: name,
        module: outside,
      });
    }
  }
}
