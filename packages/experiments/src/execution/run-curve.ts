import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rejectDeviceSync } from '@localgrad/core/folders';
import { codeOf } from '@localgrad/runs';
import { choiceAccuracy } from '@localgrad/train';
import { z } from 'zod';

// Synchronous, like the observer that asks.

/** Best accuracy up to each epoch, from epoch 1. */
export type Curve = readonly number[];

const record = z.object({ testAccuracy: z.number(), validationAccuracy: z.number() }).partial();

/** The accuracy of an epoch that a curve shows. */
export type AccuracyOf = (accuracies: z.output<typeof record>) => number | undefined;

/**
 * The curve of a run according to its metrics so far; empty if it has not started.
 *
 * @param rule the curve ends where this rule has stopped the run: under another rule it may have been trained for longer
 * @param accuracyOf default: on validation images, or on test images if there are no others
 */
export function curveOf(folder: string, rule?: string, accuracyOf: AccuracyOf = choiceAccuracy): Curve {
  const best: number[] = [];
  for (const line of textOf(join(folder, 'metrics.jsonl')).split('\n')) {
    if (!line.includes('"epoch-end"')) continue;
    const accuracy = accuracyIn(line, accuracyOf);
    if (accuracy !== undefined) best.push(Math.max(accuracy, best.at(-1) ?? 0));
  }
  const stop = rule === undefined ? undefined : stopIn(folder);
  return stop?.rule === rule ? best.slice(0, stop?.epoch) : best;
}

/** Whether a run is finished, or was stopped by a rule. */
export function hasEndedBy(folder: string, rule: string): boolean {
  return existsSync(join(folder, 'summary.json')) || stopIn(folder)?.rule === rule;
}

/** Undefined for a line that is still being written, and for an epoch without an evaluation. */
function accuracyIn(line: string, accuracyOf: AccuracyOf): number | undefined {
  const { data } = record.safeParse(parsed(line));
  return data === undefined ? undefined : accuracyOf(data);
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
