import { at, type Head } from '@localgrad/core';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import type { CompiledPlan } from './compile.js';
import { costOfHead, synthesizes } from './heads.js';
import { predictLiteral } from './literal-prediction.js';
import type { ActiveHead, CompiledPhase } from './phases.js';
import type { PhasePrediction } from './prediction.js';
import type { Instruction } from './schedule.js';
import { sum } from './sum.js';

/** Work and memory of a step in one phase. */
export interface PhaseWork {
  readonly phase: CompiledPhase;
  /** Work per module, in units of one forward pass of it. */
  readonly units: readonly number[];
  /** Peak step bytes while each module is running. */
  readonly moduleBytes: readonly number[];
  /** Work in units of one forward pass of the whole backbone, including heads. */
  readonly unitsOfWork: number;
  readonly peakBytes: number;
  /** The same values for the reference procedure. */
  readonly reference: Pick<PhaseWork, 'units' | 'unitsOfWork' | 'peakBytes'>;
}

/** Steps ask for it each time. */
const works = new WeakMap<CompiledPhase, number>();

/**
 * Multiply-accumulates of a step of one phase for one sample: modules and heads, forward and backward.
 *
 * @param phase one of `compiled.phases`
 */
export function phaseWork(compiled: CompiledPlan, phase: CompiledPhase): number {
  const known = works.get(phase) ?? countWork(compiled, phase);
  works.set(phase, known);
  return known;
}

function countWork(compiled: CompiledPlan, phase: CompiledPhase): number {
  const ofModules = phase.schedule.map(
    (one) => unitsOf(one) * multiplyAccumulatesOf(at(compiled.modules, one.module, 'module')),
  );
  const ofHeads = evaluatedHeads(phase).map((head) => headWork(compiled, head));
  return sum(ofModules) + sum(ofHeads);
}

export function measurePhase(compiled: CompiledPlan, batchSize: number, options: PhasePrediction): PhaseWork {
  const { phase } = options;
  const units = compiled.modules.map((_, index) =>
    sum(phase.schedule.filter(({ module }) => module === index).map(unitsOf)),
  );
  const workOfHead = new Map(
    [...phase.heads.values()].flat().map((active) => [active.head, headWork(compiled, active)]),
  );
  const literal = predictLiteral(compiled, batchSize, options);
  const literalUnits = literal.forwards.map((count, module) => count + 2 * (literal.backwards[module] ?? 0));
  const forward =
    sum(compiled.modules.map(multiplyAccumulatesOf)) + multiplyAccumulatesOf(compiled.network.backbone.classifier);
  const workOf = (counts: readonly number[], evaluated: readonly Head[]) =>
    (sum(compiled.modules.map((module, index) => multiplyAccumulatesOf(module) * (counts[index] ?? 0))) +
      sum(evaluated.map((head) => workOfHead.get(head) ?? 0))) /
    forward;
  const { peakBytes, modules } = compiled.predict(batchSize, options);
  return {
    phase,
    units,
    moduleBytes: modules,
    unitsOfWork: phaseWork(compiled, phase) / forward,
    peakBytes,
    reference: {
      units: literalUnits,
      unitsOfWork: workOf(literalUnits, literal.evaluations),
      peakBytes: literal.peakBytes,
    },
  };
}

function evaluatedHeads({ schedule, heads }: CompiledPhase): ActiveHead[] {
  return schedule.flatMap(({ op, module }) => (op === 'evaluate' ? (heads.get(module) ?? []) : []));
}

/**
 * Multiply-accumulates of a head's forward and backward pass; averaged copies have no weight gradient. A head that synthesizes
 * gradients runs forward twice.
 */
export function headWork(
  compiled: Pick<CompiledPlan, 'network' | 'createTargets'>,
  active: Pick<ActiveHead, 'head' | 'module' | 'objectives'>,
): number {
  const { network } = compiled;
  const { head, objectives } = active;
  const isFrozen = head.parameters.some(({ kind }) => kind === 'frozen');
  const borrows = objectives[0]?.head.factory?.borrows ?? [];
  const live = new Map(network.backbone.blocks.map(({ block }) => [block.name, multiplyAccumulatesOf(block)]));
  const averaged = borrows
    .filter(({ as }) => as.includes('averaged-copy'))
    .map(({ live: name, work = 1 }) => work * (live.get(name) ?? 0));
  const passes = synthesizes(head) ? 4 : 3;
  return passes * costOfHead(active, compiled).multiplyAccumulates - (isFrozen ? sum(averaged) : 0);
}

/**
 * Units of work of an instruction, in forward passes of its module: forward pass 1, input-VJP 1, weight-VJP 2 (the
 * gradient, and the propagation inside the module).
 */
export function unitsOf(instruction: Instruction): number {
  if (instruction.op === 'forward' || instruction.op === 'send') return 1;
  if (instruction.op !== 'finish') return 0;
  return instruction.weights ? 2 : 1;
}
