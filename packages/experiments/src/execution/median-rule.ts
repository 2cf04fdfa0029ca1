import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, type EarlyStop, hashOf } from '@localgrad/runs';
import type { EpochRecord } from '@localgrad/train';
import { z } from 'zod';
import type { EarlyStopping } from '../files/experiment.js';
import { runFolderOf, type Sweep, type SweepTask } from '../sweep/sweep-folder.js';

/** Best test accuracy up to each epoch, from epoch 1. */
type Curve = readonly number[];

/**
 * The median rule: a run ends if its best test accuracy so far is below the median of those of the other runs at the same
 * epoch. Runs with another number of epochs do not count, since their learning rates differ; runs that were stopped do, or the
 * median would rise with every stop.
 */
export class MedianRule {
  readonly #rule: EarlyStopping;
  readonly #folder: string;
  /** Folders of the runs to compare with. */
  readonly #peers: readonly string[];

  constructor(sweep: Pick<Sweep, 'folder' | 'tasks'>, rule: EarlyStopping, task: SweepTask) {
    this.#rule = rule;
    this.#folder = runFolderOf(sweep, task);
    this.#peers = sweep.tasks
      .filter(({ runId, config }) => runId !== task.runId && config.epochs === task.config.epochs)
      .map((peer) => runFolderOf(sweep, peer));
  }

  /** Why the run ends after this epoch, if it does. Its metrics file already contains the epoch. */
  judge({ epoch }: Pick<EpochRecord, 'epoch'>): EarlyStop | undefined {
    const { graceEpochs, peers } = this.#rule;
    const own = epoch < graceEpochs ? undefined : curveOf(this.#folder)[epoch - 1];
    if (own === undefined) return undefined;
    const others = this.#peers.flatMap((folder) => curveOf(folder)[epoch - 1] ?? []);
    if (others.length < peers) return undefined;
    const middle = median(others);
    if (own >= middle) return undefined;
    const percent = (accuracy: number) => `${(100 * accuracy).toFixed(2)} %`;
    const reason = `${percent(own)} after epoch ${epoch}, below the median of ${others.length} other runs (${percent(middle)})`;
    return { rule: hashOf(this.#rule), epoch, testAccuracy: own, reason };
  }
}

/** The curve of a run according to its metrics so far; empty if it has not started. */
export function curveOf(folder: string): Curve {
  const best: number[] = [];
  for (const line of linesOf(join(folder, 'metrics.jsonl'))) {
    if (!line.includes('"epoch-end"')) continue;
    const accuracy = accuracyIn(line);
    if (accuracy === undefined) continue;
    best.push(Math.max(accuracy, best.at(-1) ?? 0));
  }
  return best;
}

const record = z.object({ testAccuracy: z.number() });

/** Synchronous, like the observer that asks. A file that another process replaces at this moment counts as missing. */
function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [];
  }
}

/** Undefined for a line that is still being written, and for an epoch without an evaluation. */
function accuracyIn(line: string): number | undefined {
  try {
    return record.safeParse(JSON.parse(line)).data?.testAccuracy;
  } catch {
    return undefined;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
