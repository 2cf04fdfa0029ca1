import { at } from '@localgrad/core';
import { type EarlyStop, hashOf, type Pause, readRunState } from '@localgrad/runs';
import type { EvaluationSet } from '@localgrad/train';
import type { EarlyStopping } from '../files/experiment.js';
import { isEnded, limitsOf } from '../sweep/run-limits.js';
import { runFolderOf, type Sweep, type SweepTask } from '../sweep/sweep-folder.js';
import { Tuning } from '../sweep/tuning.js';
import { curveOf, hasEndedBy } from './run-curve.js';

type Runs = Pick<Sweep, 'folder' | 'tasks' | 'retries' | 'earlyStopping' | 'conditions' | 'tuneSeeds'>;

interface Peer {
  readonly name: string;
  readonly folder: string;
  /** Will never get further: no worker works on it any more. */
  readonly hasEnded: boolean;
}

/**
 * The median rule: a run ends after the first epoch at which its best accuracy so far, on validation images if there are any
 * and else on test images, is below the median of those of earlier runs. Earlier means: of a smaller index. So the runs that
 * end depend on accuracies alone, not on the number of workers or on the order in which they finish; the price is that a run
 * waits until all earlier ones have reached its epoch or have ended. Runs with another number of epochs do not count, since
 * their learning rates differ; runs that were stopped do as far as they got, or the median would rise with every stop.
 */
export class MedianRule {
  readonly #rule: EarlyStopping;
  readonly #id: string;
  readonly #folder: string;
  readonly #epochs: number;
  readonly #peers: readonly Peer[];

  private constructor(rule: EarlyStopping, folder: string, epochs: number, peers: readonly Peer[]) {
    this.#rule = rule;
    this.#id = hashOf(rule);
    this.#folder = folder;
    this.#epochs = epochs;
    this.#peers = peers;
  }

  /** The sweep's rule for one of its runs; undefined if it has none. */
  static async of(sweep: Runs, task: SweepTask): Promise<MedianRule | undefined> {
    const { earlyStopping } = sweep;
    if (earlyStopping === null) return undefined;
    const earlier = sweep.tasks.filter(
      ({ index, config }) => index < task.index && config.epochs === task.config.epochs,
    );
    const tuning = new Tuning(sweep);
    const peers = earlier.map(async (peer): Promise<Peer> => {
      const folder = runFolderOf(sweep, peer);
      const { status } = await readRunState(folder, limitsOf(sweep));
      // A run that is skipped has no curve, and gets none.
      const hasEnded = isEnded(status) || (await tuning.needOf(peer)) === 'skip';
      return { name: peer.name, folder, hasEnded };
    });
    return new MedianRule(
      earlyStopping,
      runFolderOf(sweep, task),
      Number(task.config.epochs),
      await Promise.all(peers),
    );
  }

  /**
   * Why the run ends, or what it waits for. Its metrics file already contains the epoch.
   *
   * @param completed number of epochs that it has completed
   */
  judge(completed: number): EarlyStop | Pause | undefined {
    const { graceEpochs, peers: least } = this.#rule;
    if (completed < graceEpochs || this.#peers.length < least) return undefined;
    const own = curveOf(this.#folder);
    // In this order: the curve of a run that has ended is complete.
    const peers = this.#peers.map(({ name, folder, hasEnded }) => {
      return { name, isComplete: hasEnded || hasEndedBy(folder, this.#id), curve: curveOf(folder, this.#id) };
    });
    for (let epoch = graceEpochs; epoch <= completed; epoch++) {
      const accuracy = own[epoch - 1];
      if (accuracy === undefined) return undefined;
      const late = peers.find(({ isComplete, curve }) => !isComplete && curve.length < epoch);
      if (late !== undefined) return { awaits: `epoch ${epoch} of '${late.name}'` };
      const others = peers.flatMap(({ curve }) => curve[epoch - 1] ?? []);
      const stop = this.#compare(epoch, accuracy, others);
      if (stop !== undefined) return stop;
    }
    return undefined;
  }

  /** Whether the run, as far as it has got, waits for an earlier one. */
  get isUndecided(): boolean {
    const verdict = this.judge(Math.min(curveOf(this.#folder).length, this.#epochs - 1));
    return verdict !== undefined && 'awaits' in verdict;
  }

  #compare(epoch: number, own: number, others: readonly number[]): EarlyStop | undefined {
    if (others.length < this.#rule.peers) return undefined;
    const middle = median(others);
    if (own >= middle) return undefined;
    const percent = (accuracy: number) => `${(100 * accuracy).toFixed(2)} %`;
    const runs = others.length === 1 ? '1 earlier run' : `${others.length} earlier runs`;
    const curve = (set: EvaluationSet) => curveOf(this.#folder, undefined, (record) => record[`${set}Accuracy`]);
    const what = curve('validation').length === 0 ? '' : 'validation accuracy ';
    const reason = `${what}${percent(own)} after epoch ${epoch}, below the median of ${runs} (${percent(middle)})`;
    return { rule: this.#id, epoch, testAccuracy: at(curve('test'), epoch - 1, 'test accuracies'), reason };
  }
}

/** Whether a run of the sweep, as far as it has got, waits for an earlier one. */
export function blockedIn(sweep: Runs): (task: SweepTask) => Promise<boolean> {
  return async (task) => (await MedianRule.of(sweep, task))?.isUndecided ?? false;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
