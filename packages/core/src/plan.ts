import { LocalgradError } from './errors.js';
import type { HeadFactory } from './head.js';
import type { Parameter } from './parameter.js';

/** Modules `from … to`, both included: a loss on the output of `to` trains these and no others. */
export type Span = readonly [from: number, to: number];

/** `independent`: a module's own loss. `cascaded`: a loss over a window. `final`: the classifier's. */
export type ObjectiveRole = 'independent' | 'cascaded' | 'final';

/** A factor on a loss: a number, or a function of training progress in [0, 1]. */
export type Weight = number | ((progress: number) => number);

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
  readonly step: number;
  /** Every parameter and statistic of network and heads by name. */
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/** Changes parameters after the optimizer step (EMA). */
export interface AfterStepHook {
  readonly name: string;
  afterStep(context: StepContext): void;
}

/** What to train and how far each gradient reaches; plain data that can be printed before a step is run. */
export interface TrainingPlan {
  /** The method's name as an expression. */
  readonly method: string;
  readonly objectives: readonly Objective[];
  readonly hooks: readonly AfterStepHook[];
  /**
   * Updates of the running statistics per step by module, or by block of a module; absent = 1 each (methods.md §7.4).
   * Heads take one.
   */
  readonly statisticsUpdates?: readonly (number | readonly number[])[];
}

/** The backbone's own classifier as head of an objective. */
export const classifierHead: HeadReference = { key: 'classifier' };

/** The objective that every method ends with: the classifier on the last module. */
export function finalObjective(modules: number, from: number = modules - 1): Objective {
  return { id: 'final', role: 'final', span: [from, modules - 1], weight: 1, head: classifierHead };
}

/**
 * The objective of the backbone's own classifier, whose loss stands for the whole network. Other objectives on the last
 * module have heads of their own.
 */
export function classifierObjective({ objectives }: Pick<TrainingPlan, 'objectives'>): Objective | undefined {
  return objectives.find(({ head }) => head.factory === undefined);
}

/**
 * Whether a plan is end-to-end training (backpropagation): its only objective is the final one, and its gradient reaches
 * the first module. Takes plans, compiled plans and run summaries.
 */
export function isEndToEnd({
  objectives,
}: {
  readonly objectives: readonly Pick<Objective, 'role' | 'span'>[];
}): boolean {
  const [only, ...others] = objectives;
  return only !== undefined && others.length === 0 && only.role === 'final' && only.span[0] === 0;
}

export function weightAt(weight: Weight, progress: number): number {
  return typeof weight === 'number' ? weight : weight(progress);
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
  const updates = plan.statisticsUpdates;
  if (
    updates !== undefined &&
    (updates.length !== modules || updates.flat().some((count) => !Number.isInteger(count) || count < 0))
  ) {
    fail(`statisticsUpdates must hold integers ≥ 0, one or one list for each of ${modules} modules.`, {
      statisticsUpdates: updates,
    });
  }
}
