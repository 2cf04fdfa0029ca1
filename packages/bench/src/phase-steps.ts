import type { Optimizer } from '@localgrad/core';
import { type CompiledPhase, type CompiledPlan, describePlan } from '@localgrad/engine';

/** Names of the phases in which a row's time and memory are measured. */
export interface MeasuredPhases {
  /** The phase with the most work. */
  readonly time: string;
  /** The phase with the highest predicted peak. */
  readonly memory: string;
  /** Number of phases of training. */
  readonly count: number;
}

export interface PlanCost {
  /** Highest cost over all phases, as `explain` reports it. */
  readonly predicted: { readonly peakBytes: number; readonly unitsOfWork: number };
  /** The phase with the most work. */
  readonly slowest: CompiledPhase;
  /** The phase with the highest predicted peak; `slowest` if that has it, too. */
  readonly largest: CompiledPhase;
}

/** How a plan's steps run. */
export interface CostOptions {
  readonly batch: number;
  readonly optimizer: Optimizer;
  readonly accumulate: number;
  /** Whether they follow the procedure of reference code. */
  readonly isLiteral: boolean;
}

/** The cost of a plan, and the phases that have it. */
export function costOfPlan(compiled: CompiledPlan, { batch, isLiteral, ...options }: CostOptions): PlanCost {
  const costs = compiled.phases.map((phase) => {
    const { totals } = describePlan(inPhase(compiled, phase), batch, options);
    const { predictedPeakBytes: peakBytes, unitsOfWork } = isLiteral ? totals.reference : totals;
    return { phase, peakBytes, unitsOfWork };
  });
  const slowest = costs.reduce((most, one) => (one.unitsOfWork > most.unitsOfWork ? one : most));
  const largest = costs.reduce((most, one) => (one.peakBytes > most.peakBytes ? one : most), slowest);
  return {
    predicted: { peakBytes: largest.peakBytes, unitsOfWork: slowest.unitsOfWork },
    slowest: slowest.phase,
    largest: largest.phase,
  };
}

/** The plan in one of its phases, at every step. */
export function inPhase(compiled: CompiledPlan, phase: CompiledPhase): CompiledPlan {
  return { ...compiled, phases: [phase], phaseAt: () => phase };
}
