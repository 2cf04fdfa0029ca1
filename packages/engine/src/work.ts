import { at, type Head, type Want } from '@localgrad/core';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import type { CompiledPlan } from './compile.js';
import { predictLiteral } from './literal-prediction.js';
import type { ActiveHead, CompiledPhase } from './phases.js';
import type { PhasePrediction } from './prediction.js';
import { type HeadInputs, type ScheduleDomain, walkSchedule } from './walk.js';

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

export function measurePhase(compiled: CompiledPlan, batchSize: number, options: PhasePrediction): PhaseWork {
  const { phase } = options;
  const domain = new WorkDomain(compiled, phase);
  walkSchedule(phase.schedule, domain, compiled.range[0]);
  const { units, evaluations } = domain;
  const heads = new Map([...phase.heads.values()].flat().map((active) => [active.head, active]));
  const literal = predictLiteral(compiled, batchSize, options);
  const literalUnits = literal.forwards.map((count, module) => count + 2 * (literal.backwards[module] ?? 0));
  const forward =
    sum(compiled.modules.map(multiplyAccumulatesOf)) + multiplyAccumulatesOf(compiled.network.backbone.classifier);
  const workOf = (counts: readonly number[], evaluated: readonly Head[]) =>
    (sum(compiled.modules.map((module, index) => multiplyAccumulatesOf(module) * (counts[index] ?? 0))) +
      sum(evaluated.map((head) => headWork(compiled, head, heads.get(head))))) /
    forward;
  const { peakBytes, modules } = compiled.predict(batchSize, options);
  return {
    phase,
    units,
    moduleBytes: modules,
    unitsOfWork: workOf(units, evaluations),
    peakBytes,
    reference: {
      units: literalUnits,
      unitsOfWork: workOf(literalUnits, literal.evaluations),
      peakBytes: literal.peakBytes,
    },
  };
}

/** Multiply-accumulates of a head's forward and backward pass; averaged copies have no weight gradient. */
function headWork({ network }: CompiledPlan, head: Head, active: ActiveHead | undefined): number {
  const isFrozen = head.parameters.some(({ kind }) => kind === 'frozen');
  const borrows = active?.objectives[0]?.head.factory?.borrows ?? [];
  const live = new Map(network.backbone.blocks.map(({ block }) => [block.name, multiplyAccumulatesOf(block)]));
  const averaged = borrows
    .filter(({ as }) => as.includes('averaged-copy'))
    .map(({ live: name, work = 1 }) => work * (live.get(name) ?? 0));
  return 3 * multiplyAccumulatesOf(head) - (isFrozen ? sum(averaged) : 0);
}

/**
 * Counts units of work: forward pass 1, input-VJP 1, weight-VJP 2 (the gradient, and the propagation inside the
 * module).
 */
class WorkDomain implements ScheduleDomain<'value', 'pass'> {
  readonly images = 'value';
  readonly units: number[];
  readonly evaluations: Head[] = [];

  constructor(
    compiled: CompiledPlan,
    readonly phase: CompiledPhase,
  ) {
    this.units = compiled.modules.map(() => 0);
  }

  forward(module: number) {
    this.#count(module, 1);
    return { output: 'value', pass: 'pass' } as const;
  }

  passThrough(module: number) {
    this.#count(module, 1);
    return 'value' as const;
  }

  evaluate(module: number, _read: HeadInputs<'value'>, arrive: (from: number, cotangent: 'value') => void): void {
    for (const { head, objectives } of this.phase.heads.get(module) ?? []) {
      this.evaluations.push(head);
      for (const { start } of objectives) if (start !== undefined) arrive(start, 'value');
    }
  }

  vjp(module: number, _pass: 'pass', _cotangent: 'value', { parameters }: Want) {
    this.#count(module, parameters ? 2 : 1);
    return 'value' as const;
  }

  copy = () => 'value' as const;
  add = () => 'value' as const;
  release(): void {}
  free(): void {}

  #count(module: number, units: number): void {
    this.units[module] = at(this.units, module, 'module') + units;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
