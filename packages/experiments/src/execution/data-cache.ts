import type { RunConfig, RunSplits } from '@localgrad/runs';
import { canonicalJson, dataKeys, loadData } from '@localgrad/runs';

/** Loaded data sets of configs; most conditions of an experiment share one. A failed load is tried again. */
export class DataCache {
  readonly #loaded = new Map<string, RunSplits>();
  readonly #most: number;

  /** @param most number of data sets to keep in memory; loading another one releases all of them */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  async of(config: RunConfig): Promise<RunSplits> {
    const key = canonicalJson(Object.fromEntries(dataKeys.map((name) => [name, config[name]])));
    const before = this.#loaded.get(key);
    if (before !== undefined) return before;
    const splits = await loadData(config);
    if (this.#loaded.size >= this.#most) this.#loaded.clear();
    this.#loaded.set(key, splits);
    return splits;
  }
}
