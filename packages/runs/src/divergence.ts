import type { Parameter } from '@localgrad/core';
import { type EvaluationRecord, isEvaluated } from '@localgrad/train';

/** Why a run counts as diverged: its last evaluation or one of its tensors is NaN or infinite. Null otherwise. */
export async function divergenceOf(
  epochs: readonly EvaluationRecord[],
  parameters: Iterable<Parameter>,
): Promise<string | null> {
  const last = epochs.findLast(isEvaluated);
  const metric = last?.metric?.name ?? 'accuracy';
  // JSON turns NaN into null, and the last record of a resumed run may come from a checkpoint.
  for (const [name, value] of [
    ['test loss', last?.testLoss],
    ['test accuracy', last?.testAccuracy],
    [`test ${metric}`, last?.testMetrics?.[metric]],
    ['validation loss', last?.validationLoss],
    ['validation accuracy', last?.validationAccuracy],
    [`validation ${metric}`, last?.validationMetrics?.[metric]],
  ] as const) {
    if (value !== undefined && !Number.isFinite(value)) return `the ${name} is ${value ?? 'NaN'}`;
  }
  return nonFiniteParameter(parameters);
}

/** Describes the first tensor with a NaN or infinite value; null if all values are finite. */
export async function nonFiniteParameter(parameters: Iterable<Parameter>): Promise<string | null> {
  for (const { name, kind, value } of parameters) {
    const found = (await value.data()).find((entry) => !Number.isFinite(entry));
    if (found !== undefined) return `${nouns[kind]} '${name}' contains ${found}`;
  }
  return null;
}

const nouns: Readonly<Record<Parameter['kind'], string>> = {
  weight: 'weight',
  frozen: 'averaged weight',
  statistic: 'running statistic',
  state: 'state',
};
