import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import type { EpochRecord, Observer } from '@localgrad/train';
import { z } from 'zod';
import { runFiles } from './folder/run-folder.js';
import { readStateFile } from './folder/state-file.js';

const stopFormat = {
  what: 'the note of a run that was stopped early',
  schema: z.object({
    formatVersion: z.literal(1),
    /** Identifies the rule: under another rule the run is resumed. */
    rule: z.string(),
    epoch: z.int().min(1),
    testAccuracy: z.number().min(0).max(1),
    /** A sentence with the numbers that decided. */
    reason: z.string(),
  }),
};

/** Why and when a run was stopped early: `stopped.json` in its folder. */
export type EarlyStop = Readonly<Omit<z.output<typeof stopFormat.schema>, 'formatVersion'>>;

/** Decides after an epoch whether a run ends there; not called after the last one. */
export type StopRule = (record: EpochRecord) => EarlyStop | undefined;

/** Thrown by `executeRun` when its `stopRule` has ended the run. Its checkpoint stays. */
export class RunStopped extends Error {
  readonly stop: EarlyStop;

  constructor(stop: EarlyStop) {
    super(stop.reason);
    this.name = 'RunStopped';
    this.stop = stop;
  }
}

/** Aborts training after the epoch in which the rule says so; the checkpoint of that epoch is saved first. */
export function stopObserver(rule: StopRule, controller: AbortController): Observer {
  return {
    observe(event) {
      if (event.type !== 'epoch-end' || event.epoch === event.epochs) return;
      const stop = rule(event);
      if (stop !== undefined) controller.abort(new RunStopped(stop));
    },
  };
}

export function stopText(stop: EarlyStop): string {
  return `${JSON.stringify({ formatVersion: 1, ...stop }, null, 2)}\n`;
}

/** Undefined if the run was not stopped by this rule, or its note is damaged: then it is resumed. */
export async function readEarlyStop(folder: string, rule: string): Promise<EarlyStop | undefined> {
  try {
    const stop = await readStateFile(join(folder, runFiles.stopped), stopFormat);
    return stop?.rule === rule ? stop : undefined;
  } catch (error) {
    if (LocalgradError.isInstance(error)) return undefined;
    throw error;
  }
}
