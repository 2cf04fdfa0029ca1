import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import type { Observer, TrainingEvent } from '@localgrad/train';
import { z } from 'zod';
import { isNewerVersion } from './folder/newer-version.js';
import { runFiles } from './folder/run-folder.js';
import { readStateFile } from './folder/state-file.js';

const stopFormat = {
  what: 'the note of a run that was stopped early',
  version: 1,
  schema: z.object({
    formatVersion: z.literal(1),
    /** Identifies the rule: under another rule the run is resumed. */
    rule: z.string(),
    epoch: z.int().min(1),
    /** Best test accuracy so far; null if another metric decided. */
    testAccuracy: z.number().min(0).max(1).nullable(),
    /** The metric that decided, unless it was accuracy, and its best value on test images so far. */
    metric: z.object({ name: z.string().min(1), test: z.number() }).optional(),
    /** A sentence with the numbers that decided. */
    reason: z.string(),
  }),
};

/** Why and when a run was stopped early: `stopped.json` in its folder. */
export type EarlyStop = Readonly<Omit<z.output<typeof stopFormat.schema>, 'formatVersion'>>;

/** A rule that cannot decide yet: the run is saved and released until it can. */
export interface Pause {
  /** The earlier run, and the epoch that it has to reach. */
  readonly awaits: string;
}

/** Decides after an epoch, and when a run is resumed, whether it ends there, or waits; not called after the last epoch. */
export type StopRule = (epoch: number) => EarlyStop | Pause | undefined;

/** Thrown by `executeRun` when its `stopRule` has ended the run. Its checkpoint stays. */
export class RunStopped extends Error {
  readonly stop: EarlyStop;

  constructor(stop: EarlyStop) {
    super(stop.reason);
    this.name = 'RunStopped';
    this.stop = stop;
  }
}

/** Thrown by `executeRun` when its `stopRule` cannot decide yet. The run can be resumed from its checkpoint. */
export class RunPaused extends Error {
  constructor({ awaits }: Pause) {
    super(`waits for ${awaits}`);
    this.name = 'RunPaused';
  }
}

/** Whether a rule ended an attempt, which is no failure of the run. */
export function isRuleEnd(error: unknown): error is RunStopped | RunPaused {
  return error instanceof RunStopped || error instanceof RunPaused;
}

/** Aborts training as the rule decides; the checkpoint of the epoch is saved first. */
export class StopWatch implements Observer {
  readonly #rule: StopRule;
  readonly #epochs: number;
  readonly #controller = new AbortController();

  /** @param epochs number of epochs of the whole run */
  constructor(rule: StopRule, epochs: number) {
    this.#rule = rule;
    this.#epochs = epochs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @param epoch number of completed epochs */
  judge(epoch: number): void {
    if (epoch === 0 || epoch >= this.#epochs) return;
    const verdict = this.#rule(epoch);
    if (verdict === undefined) return;
    this.#controller.abort('awaits' in verdict ? new RunPaused(verdict) : new RunStopped(verdict));
  }

  observe(event: TrainingEvent): void {
    if (event.type === 'epoch-end') this.judge(event.epoch);
  }
}

export function stopText(stop: EarlyStop): string {
  return `${JSON.stringify({ formatVersion: 1, ...stop }, null, 2)}\n`;
}

/**
 * Undefined if the run was not stopped by this rule, or its note is damaged: then it is resumed.
 *
 * @param rule default: any
 * @throws LocalgradError `invalid-data` for the note of a newer version of localgrad
 */
export async function readEarlyStop(folder: string, rule?: string): Promise<EarlyStop | undefined> {
  try {
    const stop = await readStateFile(join(folder, runFiles.stopped), stopFormat);
    return rule === undefined || stop?.rule === rule ? stop : undefined;
  } catch (error) {
    if (LocalgradError.isInstance(error) && !isNewerVersion(error)) return undefined;
    throw error;
  }
}
