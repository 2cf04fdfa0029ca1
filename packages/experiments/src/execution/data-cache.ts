import type { DatasetSplits } from '@localgrad/data';
import type { RunConfig } from '@localgrad/runs';
import { canonicalJson, dataKeys, loadData } from '@localgrad/runs';

/** Data that configs name; conditions of an experiment mostly share it. What could not be loaded is tried again. */
export class DataCache {
  readonly #loaded = new Map<string, DatasetSplits>();
  readonly #most: number;

  /** @param most how many data sets are held; one more makes room by letting all go */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  async of(config: RunConfig): Promise<DatasetSplits> {
    const key = canonicalJson(Object.fromEntries(dataKeys.map((name) => [name, config[name]])));
    const before = this.#loaded.get(key);
    if (before !== undefined) return before;
    const splits = await loadData(config);
    if (this.#loaded.size >= this.#most) this.#loaded.clear();
    this.#loaded.set(key, splits);
    return splits;
  }
}
