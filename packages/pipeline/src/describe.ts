import { at } from '@localgrad/core';
import { type CompiledPlan, type PredictionOptions, partOf } from '@localgrad/engine';
import { moduleWork } from './divide.js';
import type { PlacedGroup, Placement } from './placement.js';

/** A worker's predicted share of a step. */
export interface PartDescription extends PlacedGroup {
  /** Fraction of the work of a step, heads included. */
  readonly work: number;
  /** Predicted peak memory of a step on this worker, in bytes. */
  readonly predictedPeakBytes: number;
}

/** Predicts work and memory of each worker without running a step. */
export function describeParts(
  compiled: CompiledPlan,
  placement: Placement,
  batchSize: number,
  options: Pick<PredictionOptions, 'optimizer' | 'accumulate'> = {},
): PartDescription[] {
  const work = moduleWork(compiled);
  const sum = (from: number, to: number) => {
    let total = 0;
    for (let module = from; module <= to; module++) total += at(work, module, 'module');
    return total;
  };
  const all = sum(0, work.length - 1);
  return placement.map((group) => ({
    ...group,
    work: sum(...group.range) / all,
    predictedPeakBytes: partOf(compiled, group.range).predict(batchSize, options).peakBytes,
  }));
}
