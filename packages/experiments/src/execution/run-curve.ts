import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rejectDeviceSync } from '@localgrad/core/folders';
import { codeOf } from '@localgrad/runs';
import { accuracyMetric, bestOf, type EvaluationSet, type Metric, metricValue } from '@localgrad/train';
import { z } from 'zod';

// Synchronous, like the observer that asks.

/** What a run has reached by each epoch. */
export interface Curve {
  /** The metric by which the run chooses epochs. */
  readonly metric: Metric;
  /** Its best value up to each epoch, from epoch 1; undefined before the first evaluation. */
  readonly best: readonly (number | undefined)[];
}

const values = z.record(z.string(), z.unknown());
const record = z
  .object({
    metric: z.object({ name: z.string(), lowerIsBetter: z.boolean() }),
    testAccuracy: z.number(),
    validationAccuracy: z.number(),
    testMetrics: values,
    validationMetrics: values,
  })
  .partial();

export interface CurveOptions {
  /** The curve ends where this rule has stopped the run: under another rule it may have been trained for longer. */
  readonly rule?: string | undefined;
  /** The images of the evaluations. Default: validation images, or test images if there are no others. */
  readonly sets?: readonly EvaluationSet[];
}

/** The curve of a run according to its metrics so far; empty if it has not started. */
export function curveOf(folder: string, { rule, sets = ['validation', 'test'] }: CurveOptions = {}): Curve {
  const best: (number | undefined)[] = [];
  let metric = accuracyMetric;
  for (const line of textOf(join(folder, 'metrics.jsonl')).split('\n')) {
    if (!line.includes('"epoch-end"')) continue;
    // Undefined for a line that is still being written.
    const { data } = record.safeParse(parsed(line));
    if (data === undefined) continue;
    metric = data.metric ?? accuracyMetric;
    const own = metric;
    const value = sets.map((set) => metricValue(data, set, own)).find((found) => found !== undefined);
    // A loss that is not finite is the worst one.
    const isEvaluated = sets.some((set) => data[`${set}Metrics`]?.[own.name] !== undefined);
    const found = value ?? (own.lowerIsBetter && isEvaluated ? Number.POSITIVE_INFINITY : undefined);
    const before = best.at(-1);
    best.push(found === undefined ? before : (bestOf(own, before === undefined ? [found] : [before, found]) ?? found));
  }
  const stop = rule === undefined ? undefined : stopIn(folder);
  return { metric, best: stop?.rule === rule ? best.slice(0, stop?.epoch) : best };
}

/** Whether a run is finished, or was stopped by a rule. */
export function hasEndedBy(folder: string, rule: string): boolean {
  return existsSync(join(folder, 'summary.json')) || stopIn(folder)?.rule === rule;
}

const note = z.object({ rule: z.string(), epoch: z.int() });

function stopIn(folder: string): z.output<typeof note> | undefined {
  return note.safeParse(parsed(textOf(join(folder, 'stopped.json')))).data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A file that another process replaces at this moment counts as missing. */
function textOf(file: string): string {
  try {
    rejectDeviceSync(file);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return '';
  }
}
