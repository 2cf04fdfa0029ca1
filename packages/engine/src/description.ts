import {
  type Block,
  type BlockReference,
  type ChainDescription,
  type Head,
  type Objective,
  type ObjectiveRole,
  type Parameter,
  type Span,
  weightAt,
} from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import type { CompiledHead } from './heads.js';
import { predictLiteral } from './literal-prediction.js';

export interface ModuleDescription {
  readonly index: number;
  /** Last block, e.g. `(1,0)`. */
  readonly name: string;
  readonly blocks: readonly string[];
  /** `[stage, index]` of the same blocks. */
  readonly references: readonly BlockReference[];
  /** Weights of the module itself. */
  readonly parameters: number;
  /** In forwards of the module; backprop needs 3 (methods.md §7). */
  readonly unitsOfWork: number;
  /** The same for the reference procedure, which runs the module for every path through it. */
  readonly referenceUnitsOfWork: number;
  /** Highest step bytes while the module is at work. */
  readonly predictedBytes: number;
}

export interface ObjectiveDescription {
  readonly id: string;
  readonly role: ObjectiveRole;
  readonly span: Span;
  readonly head: string;
  /** Objectives with equal keys share the head. */
  readonly headKey: string;
  /** At the start of training. */
  readonly weight: number;
  /** At its end, where the weight is scheduled. */
  readonly weightAtEnd?: number;
  /** Weights of the head, those of its chain included. */
  readonly parameters: number;
  /** Names of the weights that the objective reaches. */
  readonly reaches: readonly string[];
  /** How many numbers those are. */
  readonly reachedParameters: number;
  /** Copies of later blocks between the module's output and the head's own layers. */
  readonly chain?: ChainDescription;
}

export interface PlanDescription {
  readonly method: string;
  readonly modules: readonly ModuleDescription[];
  readonly objectives: readonly ObjectiveDescription[];
  readonly totals: {
    readonly parameters: number;
    /** In forwards of the whole backbone; backprop: 3. Heads included. */
    readonly unitsOfWork: number;
    readonly predictedPeakBytes: number;
    /**
     * The same plan by the procedure of reference implementations: every window is run forward and backward for itself
     * (methods.md §7.1), all paths that end at a module hold their residuals together, gradients wait for the optimizer.
     */
    readonly reference: { readonly unitsOfWork: number; readonly predictedPeakBytes: number };
  };
}

/** What a plan will do and cost, before a step is run. */
export function describePlan(compiled: CompiledPlan, batchSize: number): PlanDescription {
  const prediction = compiled.predict(batchSize);
  const heads = [...compiled.heads.values()].flat();
  const units = compiled.modules.map((_, module) => moduleUnits(compiled, module));
  const literal = predictLiteral(compiled, batchSize);
  const literalUnits = literal.forwards.map((count, module) => count + 2 * (literal.backwards[module] ?? 0));
  const cost = (owner: Block | Head) => owner.cost.multiplyAccumulates;
  const forward = sum(compiled.modules.map(cost)) + cost(compiled.network.backbone.classifier);
  const workOf = (moduleUnitCounts: readonly number[], evaluated: readonly number[]) =>
    sum(compiled.modules.map((module, index) => cost(module) * (moduleUnitCounts[index] ?? 0))) + sum(evaluated);
  const headWork = new Map(heads.map((compiledHead) => [compiledHead.head, evaluationWork(compiled, compiledHead)]));
  const workOfHead = (head: Head) => headWork.get(head) ?? 0;
  return {
    method: compiled.plan.method,
    modules: compiled.network.modules.map((module, index) => ({
      index,
      name: module.name,
      blocks: module.blocks.map((block) => block.name),
      references: module.members.map(({ reference }) => reference),
      parameters: weightCount(module.blocks.flatMap((block) => block.parameters)),
      unitsOfWork: units[index] ?? 0,
      referenceUnitsOfWork: literalUnits[index] ?? 0,
      predictedBytes: prediction.modules[index] ?? 0,
    })),
    objectives: inPlanOrder(compiled, heads).map(([objective, head]) => describeObjective(compiled, objective, head)),
    totals: {
      parameters: weightCount([...compiled.parameters.values()]),
      unitsOfWork:
        workOf(
          units,
          heads.map(({ head }) => workOfHead(head)),
        ) / forward,
      predictedPeakBytes: prediction.peakBytes,
      reference: {
        unitsOfWork: workOf(literalUnits, literal.evaluations.map(workOfHead)) / forward,
        predictedPeakBytes: literal.peakBytes,
      },
    },
  };
}

/** Objectives with their heads, in the plan's order: module by module, a host's own loss before what was put beside it. */
function inPlanOrder(compiled: CompiledPlan, heads: readonly CompiledHead[]): [Objective, Head][] {
  return compiled.objectives.flatMap((objective): [Objective, Head][] => {
    const found = heads.find(({ key }) => key === objective.head.key);
    return found === undefined ? [] : [[objective, found.head]];
  });
}

function describeObjective(compiled: CompiledPlan, objective: Objective, head: Head): ObjectiveDescription {
  const { id, role, span, weight } = objective;
  const [start, end] = [weightAt(weight, 0), weightAt(weight, 1)];
  const { chain } = objective.head.factory ?? {};
  const reached = [
    ...compiled.modules.slice(span[0], span[1] + 1).flatMap((module) => module.parameters),
    ...head.parameters,
  ].filter(({ kind }) => kind === 'weight');
  return {
    id,
    role,
    span,
    head: head.name,
    headKey: objective.head.key,
    weight: start,
    ...(start === end ? {} : { weightAtEnd: end }),
    parameters: weightCount(head.parameters),
    reaches: reached.map(({ name }) => name),
    reachedParameters: weightCount(reached),
    ...(chain === undefined ? {} : { chain }),
  };
}

/** Multiply-accumulates of a head's forward and backward: averaged copies have no gradient of their own. */
function evaluationWork({ network }: CompiledPlan, { head, objectives }: CompiledHead): number {
  const isFrozen = head.parameters.some(({ kind }) => kind === 'frozen');
  const averaged = objectives[0]?.head.factory?.chain?.blocks.filter((block) => block.averaged) ?? [];
  const live = new Map(network.backbone.blocks.map(({ block }) => [block.name, block.cost.multiplyAccumulates]));
  const saved = isFrozen ? sum(averaged.map((block) => live.get(block.live) ?? 0)) : 0;
  return 3 * head.cost.multiplyAccumulates - saved;
}

/** Forward 1, input-VJP 1, weight-VJP 2 (the gradient and the propagation inside the module). */
function moduleUnits({ schedule }: CompiledPlan, module: number): number {
  return sum(
    schedule
      .filter((instruction) => instruction.module === module)
      .map(({ op }) => (op === 'forward' || op === 'send' ? 1 : op === 'finish' ? 2 : 0)),
  );
}

function weightCount(parameters: readonly Parameter[]): number {
  return sum(parameters.filter(({ kind }) => kind === 'weight').map(({ size }) => size));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
