import type { Span } from '@localgrad/core';
import { type CompiledPlan, partOf, type StepResult } from '@localgrad/engine';

/** Frees the parameters of a plan that a worker's part does not have. */
export function disposeOthers({ parameters }: CompiledPlan, part: CompiledPlan): void {
  const owned = new Set(part.parameters.values());
  for (const parameter of parameters.values()) if (!owned.has(parameter)) parameter.dispose();
}

/** Targets that heads after a range read. */
export function targetsOfLater(compiled: CompiledPlan, [, last]: Span): readonly string[] {
  return partOf(compiled, [last + 1, compiled.network.modules.length - 1]).reads;
}

/** The values of losses or terms, in the order of evaluation. Disposes the scalars. */
export function readScalars(scalars: StepResult['losses']): (readonly [id: string, value: number])[] {
  return [...scalars].map(([id, scalar]) => {
    const [value = Number.NaN] = scalar.dataSync();
    scalar.dispose();
    return [id, value];
  });
}
