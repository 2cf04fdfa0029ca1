import type { Block, Head, ObjectiveRole, Parameter, Span } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';

export interface ModuleDescription {
  readonly index: number;
  /** Last block, e.g. `(1,0)`. */
  readonly name: string;
  readonly blocks: readonly string[];
  /** Weights of the module itself. */
  readonly parameters: number;
  /** In forwards of the module; backprop needs 3 (methods.md §7). */
  readonly unitsOfWork: number;
  /** Highest step bytes while the module is at work. */
  readonly predictedBytes: number;
}

export interface ObjectiveDescription {
  readonly id: string;
  readonly role: ObjectiveRole;
  readonly span: Span;
  readonly head: string;
  /** At the start of training. */
  readonly weight: number;
  /** Weights of the head. */
  readonly parameters: number;
  /** Names of the weights that the objective reaches. */
  readonly reaches: readonly string[];
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
  };
}

/** What a plan will do and cost, before a step is run. */
export function describePlan(compiled: CompiledPlan, batchSize: number): PlanDescription {
  const prediction = compiled.predict(batchSize);
  const heads = [...compiled.heads.values()].flat();
  const units = compiled.modules.map((_, module) => moduleUnits(compiled, module));
  const cost = (owner: Block | Head) => owner.cost.multiplyAccumulates;
  const forward = sum(compiled.modules.map(cost)) + cost(compiled.network.backbone.classifier);
  const work =
    sum(compiled.modules.map((module, index) => cost(module) * (units[index] ?? 0))) +
    sum(heads.map(({ head }) => 3 * cost(head)));
  return {
    method: compiled.plan.method,
    modules: compiled.network.modules.map((module, index) => ({
      index,
      name: module.name,
      blocks: module.blocks.map((block) => block.name),
      parameters: weightCount(module.blocks.flatMap((block) => block.parameters)),
      unitsOfWork: units[index] ?? 0,
      predictedBytes: prediction.modules[index] ?? 0,
    })),
    objectives: heads.flatMap(({ head, objectives }) =>
      objectives.map(({ id, role, span, weight }) => ({
        id,
        role,
        span,
        head: head.name,
        weight: typeof weight === 'number' ? weight : weight(0),
        parameters: weightCount(head.parameters),
        reaches: [
          ...compiled.modules.slice(span[0], span[1] + 1).flatMap((module) => module.parameters),
          ...head.parameters,
        ]
          .filter(({ kind }) => kind === 'weight')
          .map(({ name }) => name),
      })),
    ),
    totals: {
      parameters: weightCount([...compiled.parameters.values()]),
      unitsOfWork: work / forward,
      predictedPeakBytes: prediction.peakBytes,
    },
  };
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
