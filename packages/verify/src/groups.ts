/** What one group of a case came to. */
export interface GroupResult {
  /** Tensors or numbers compared. */
  readonly compared: number;
  readonly maxRelativeError: number;
  /** Where that is. */
  readonly worst: string;
}

/** Gathers errors by group; the largest of each stays, with its name. */
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
