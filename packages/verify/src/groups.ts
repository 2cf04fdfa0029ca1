/** Result of one group of a case. */
export interface GroupResult {
  /** Number of compared tensors or numbers. */
  readonly compared: number;
  readonly maxRelativeError: number;
  /** Name of the tensor or number with the largest error. */
  readonly worst: string;
}

/** Collects the largest error of each group, with its name. */
export class Groups {
  readonly #groups = new Map<string, { compared: number; maxRelativeError: number; worst: string }>();

  note(group: string, name: string, error: number): void {
    const entry = this.#groups.get(group) ?? { compared: 0, maxRelativeError: -1, worst: name };
    entry.compared++;
    if (error > entry.maxRelativeError) Object.assign(entry, { maxRelativeError: error, worst: name });
    this.#groups.set(group, entry);
  }

  results(): Readonly<Record<string, GroupResult>> {
    return Object.fromEntries(this.#groups);
  }
}
