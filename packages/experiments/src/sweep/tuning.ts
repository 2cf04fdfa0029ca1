import { at } from '@localgrad/core';
import { lookForSummary, readRunState } from '@localgrad/runs';
import { bestCandidate, selectionOf } from '../results/choice.js';
import { isEnded, limitsOf } from './run-limits.js';
import { runFolderOf, type Sweep, type SweepTask } from './sweep-folder.js';

/**
 * - `run`: the sweep needs the run
 * - `wait`: it will if the runs that make the choice choose its value
 * - `skip`: they have chosen another one
 */
export type Need = 'run' | 'wait' | 'skip';

type TunedSweep = Pick<Sweep, 'folder' | 'tasks' | 'retries' | 'earlyStopping' | 'conditions' | 'tuneSeeds'>;

/**
 * Which runs a sweep needs, if only some seeds make the choices of `tune`: with the others, a setting runs with the chosen values
 * only. The choice depends on the results of the runs that make it alone, not on who runs what when; runs that have failed for
 * good or were stopped early have none.
 */
export class Tuning {
  readonly #sweep: TunedSweep;
  /** Key of the chosen condition by setting. */
  readonly #chosen = new Map<string, string>();

  constructor(sweep: TunedSweep) {
    this.#sweep = sweep;
  }

  async needOf(task: SweepTask): Promise<Need> {
    const setting = this.settingOf(task);
    if (setting === undefined || this.#sweep.tuneSeeds.includes(task.seed)) return 'run';
    const chosen = this.#chosen.get(setting) ?? (await this.#choose(setting));
    if (chosen === undefined) return 'wait';
    return chosen === task.condition ? 'run' : 'skip';
  }

  /** The setting of a run, whose conditions are the candidates; undefined if nothing is chosen. */
  settingOf({ condition }: SweepTask): string | undefined {
    return this.#sweep.conditions.find(({ key }) => key === condition)?.setting;
  }

  /** Undefined until the runs that make the choice have ended. */
  async #choose(setting: string): Promise<string | undefined> {
    const { conditions, tasks, tuneSeeds } = this.#sweep;
    const candidates = conditions.filter((condition) => condition.setting === setting);
    const judged = candidates.map(({ key }) =>
      tasks.filter((task) => task.condition === key && tuneSeeds.includes(task.seed)),
    );
    for (const task of judged.flat()) {
      const { status } = await readRunState(runFolderOf(this.#sweep, task), limitsOf(this.#sweep));
      if (!isEnded(status)) return undefined;
    }
    const results = await Promise.all(judged.map((own) => Promise.all(own.map((task) => this.#resultOf(task)))));
    const best = bestCandidate(
      results.map((runs) => runs.flat()),
      selectionOf(conditions),
    );
    const { key } = at(candidates, best, 'candidates');
    this.#chosen.set(setting, key);
    return key;
  }

  async #resultOf(task: SweepTask) {
    const { summary } = await lookForSummary(runFolderOf(this.#sweep, task));
    return summary === undefined ? [] : [{ summary }];
  }
}
