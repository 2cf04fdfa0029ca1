import { type EarlyStop, hashOf, type Pause, readRunState } from '@localgrad/runs';
import { accuracyMetric, advantage, type EvaluationSet, formatMetric } from '@localgrad/train';
import type { EarlyStopping } from '../files/experiment.js';
import { isEnded, limitsOf } from '../sweep/run-limits.js';
import { runFolderOf, type Sweep, type SweepTask } from '../sweep/sweep-folder.js';
import { Tuning } from '../sweep/tuning.js';
import { type Curve, curveOf, hasEndedBy } from './run-curve.js';

type Runs = Pick<Sweep, 'folder' | 'tasks' | 'retries' | 'earlyStopping' | 'conditions' | 'tuneSeeds'>;

interface Peer {
  readonly name: string;
  readonly folder: string;
  /** Will never get further: no worker works on it any more. */
  readonly hasEnded: boolean;
}

/**
 * The median rule: a run ends after the first epoch at which its best accuracy so far, or best value of the metric that it
 * names, on validation images if there are any and else on test images, is worse than the median of those of earlier runs.
 * Earlier means: of a smaller index. So the runs that end depend on these values alone, not on the number of workers or on the
 * order in which they finish; the price is that a run waits until all earlier ones have reached its epoch or have ended. Runs
 * with another number of epochs do not count, since their learning rates differ, nor do runs with another metric; runs that
 * were stopped do as far as they got, or the median would rise with every stop.
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
    const { metric, best: own } = curveOf(this.#folder);
    // In this order: the curve of a run that has ended is complete.
    const peers = this.#peers.map(({ name, folder, hasEnded }) => {
      return { name, isComplete: hasEnded || hasEndedBy(folder, this.#id), curve: curveOf(folder, { rule: this.#id }) };
    });
    for (let epoch = graceEpochs; epoch <= completed; epoch++) {
      const value = own[epoch - 1];
      if (value === undefined) continue;
      const late = peers.find(({ isComplete, curve }) => !isComplete && curve.best.length < epoch);
      if (late !== undefined) return { awaits: `epoch ${epoch} of '${late.name}'` };
      const others = peers.flatMap(({ curve }) =>
        curve.metric.name === metric.name ? (curve.best[epoch - 1] ?? []) : [],
      );
      const stop = this.#compare(epoch, { metric, value }, others);
      if (stop !== undefined) return stop;
    }
    return undefined;
  }

  /** Whether the run, as far as it has got, waits for an earlier one. */
  get isUndecided(): boolean {
    const verdict = this.judge(Math.min(curveOf(this.#folder).best.length, this.#epochs - 1));
    return verdict !== undefined && 'awaits' in verdict;
  }

  #compare(
    epoch: number,
    { metric, value }: { readonly metric: Curve['metric']; readonly value: number },
    others: readonly number[],
  ): EarlyStop | undefined {
    if (others.length < this.#rule.peers) return undefined;
    const middle = median(others);
    if (advantage(metric, value, middle) >= 0) return undefined;
    const runs = others.length === 1 ? '1 earlier run' : `${others.length} earlier runs`;
    const curve = (set: EvaluationSet) => curveOf(this.#folder, { sets: [set] }).best;
    const isAccuracy = metric.name === accuracyMetric.name;
    const set = curve('validation').some((one) => one !== undefined) ? 'validation ' : isAccuracy ? '' : 'test ';
    const what = set === '' ? '' : `${set}${metric.name} `;
    const side = metric.lowerIsBetter ? 'above' : 'below';
    const reason = `${what}${formatMetric(metric, value)} after epoch ${epoch}, ${side} the median of ${runs} (${formatMetric(metric, middle)})`;
    const test = curve('test')[epoch - 1];
    return {
      rule: this.#id,
      epoch,
      testAccuracy: isAccuracy ? (test ?? null) : null,
      ...(isAccuracy || test === undefined || !Number.isFinite(test) ? {} : { metric: { name: metric.name, test } }),
      reason,
    };
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
