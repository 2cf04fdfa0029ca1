import { type Metric, metricValue } from '@localgrad/train';
import { workUntil } from './compute.js';
import type { ConditionRow } from './condition-rows.js';
import { type Estimate, estimateOf, known } from './estimates.js';

/** A point of a learning curve: mean over the seeds that have it. */
export interface CurvePoint extends Estimate {
  readonly epoch: number;
  /** Multiply-accumulates until then; null if unknown. */
  readonly work: number | null;
}

/** Mean of a metric on test images after each evaluated epoch. */
export function learningCurve({ condition }: ConditionRow, metric: Metric): CurvePoint[] {
  const epochs = [...new Set(condition.runs.flatMap(({ summary }) => summary.epochs.map(({ epoch }) => epoch)))];
  return epochs
    .sort((a, b) => a - b)
    .flatMap((epoch) => {
      const found = condition.runs.flatMap((run) => {
        const position = run.summary.epochs.findIndex((record) => record.epoch === epoch);
        const value = metricValue(run.summary.epochs[position] ?? {}, 'test', metric);
        return value === undefined ? [] : [{ value, work: workUntil(run, position) }];
      });
      const estimate = estimateOf(found.map(({ value }) => value));
      if (estimate === null) return [];
      return [{ ...estimate, epoch, work: estimateOf(known(found.map(({ work }) => work)))?.mean ?? null }];
    });
}

/** Mean accuracy of a linear probe. */
export interface ProbePoint extends Estimate {
  /** From 0. */
  readonly module: number;
  /** Number of modules of the network; differs between conditions. */
  readonly modules: number;
}

/** Mean accuracy of linear probes by module; empty without probes. */
export function separability({ condition }: ConditionRow): ProbePoint[] {
  const probes = known(condition.runs.map(({ summary }) => summary.probes));
  const modules = Math.max(0, ...probes.map(({ length }) => length));
  return Array.from({ length: modules }, (_, module) => module).flatMap((module) => {
    const estimate = estimateOf(known(probes.map((values) => values[module])));
    return estimate === null ? [] : [{ ...estimate, module, modules }];
  });
}

/** Mean loss of an objective over the last epoch. */
export interface ObjectiveLoss extends Estimate {
  readonly id: string;
  readonly role: string;
  /** Last module that its gradient reaches, from 0. */
  readonly module: number;
  /** Weight at the end of training; undefined if the runs do not record it. */
  readonly weight: number | undefined;
}

/** Losses of the last epoch by objective, in the order of modules. */
export function lastLosses({ condition }: ConditionRow): ObjectiveLoss[] {
  const objectives = condition.runs[0]?.summary.objectives ?? [];
  return objectives
    .flatMap(({ id, role, span, weight }) => {
      const estimate = estimateOf(known(condition.runs.map(({ summary }) => summary.epochs.at(-1)?.losses[id])));
      return estimate === null ? [] : [{ ...estimate, id, role, module: span[1], weight }];
    })
    .sort((a, b) => a.module - b.module);
}
