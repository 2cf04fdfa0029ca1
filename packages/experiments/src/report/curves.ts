import { workUntil } from './compute.js';
import { type ConditionRow, type Estimate, estimateOf, known } from './condition-rows.js';

/** A point of a condition's learning curve: mean over the seeds that have it. */
export interface CurvePoint extends Estimate {
  readonly epoch: number;
  /** Multiply-accumulates until then; null where they are unknown. */
  readonly work: number | null;
}

/** Mean test accuracy after each epoch that was evaluated. */
export function learningCurve({ condition }: ConditionRow): CurvePoint[] {
  const epochs = [...new Set(condition.runs.flatMap(({ summary }) => summary.epochs.map(({ epoch }) => epoch)))];
  return epochs
    .sort((a, b) => a - b)
    .flatMap((epoch) => {
      const found = condition.runs.flatMap((run) => {
        const position = run.summary.epochs.findIndex((record) => record.epoch === epoch);
        const accuracy = run.summary.epochs[position]?.testAccuracy;
        return accuracy === undefined ? [] : [{ accuracy, work: workUntil(run, position) }];
      });
      const estimate = estimateOf(found.map(({ accuracy }) => accuracy));
      if (estimate === null) return [];
      return [{ ...estimate, epoch, work: estimateOf(known(found.map(({ work }) => work)))?.mean ?? null }];
    });
}

/** Mean accuracy of linear probes by module, from 0; empty without probes. */
export function separability({ condition }: ConditionRow): (Estimate & { readonly module: number })[] {
  const probes = known(condition.runs.map(({ summary }) => summary.probes));
  return Array.from({ length: Math.max(0, ...probes.map(({ length }) => length)) }, (_, module) => module).flatMap(
    (module) => {
      const estimate = estimateOf(known(probes.map((values) => values[module])));
      return estimate === null ? [] : [{ ...estimate, module }];
    },
  );
}

/** Mean loss of an objective over the last epoch. */
export interface ObjectiveLoss extends Estimate {
  readonly id: string;
  readonly role: 'independent' | 'cascaded' | 'final';
  /** Last module that its gradient reaches, from 0. */
  readonly module: number;
}

/** Losses of the last epoch by objective, the earliest module first. */
export function lastLosses({ condition }: ConditionRow): ObjectiveLoss[] {
  const objectives = condition.runs[0]?.summary.objectives ?? [];
  return objectives
    .flatMap(({ id, role, span }) => {
      const estimate = estimateOf(known(condition.runs.map(({ summary }) => summary.epochs.at(-1)?.losses[id])));
      return estimate === null ? [] : [{ ...estimate, id, role, module: span[1] }];
    })
    .sort((a, b) => a.module - b.module);
}

/**
 * Accuracies at equal compute: what each condition has reached after the last epoch that fits into the compute of the
 * cheapest whole run. Learning rates that fall until the end of a run make it a low bound for the dearer ones.
 */
export function atEqualCompute(rows: readonly ConditionRow[]): {
  readonly budget: number;
  readonly reached: ReadonlyMap<string, CurvePoint>;
} | null {
  const totals = known(rows.map((row) => (row.last === null ? null : row.work)));
  if (totals.length < 2) return null;
  const budget = Math.min(...totals);
  const reached = new Map<string, CurvePoint>();
  for (const row of rows) {
    // Sums of the same terms in another order differ in their last bits.
    const point = learningCurve(row).findLast(({ work }) => work !== null && work <= budget * (1 + 1e-9));
    if (point !== undefined) reached.set(row.condition.key, point);
  }
  return { budget, reached };
}
