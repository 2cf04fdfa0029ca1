/** Quotes a word for POSIX shells if necessary. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The command of a worker, without which tasks it takes. */
export interface WorkerCommand {
  /** Program and first arguments, e.g. `['node', '/opt/localgrad/cli.js']`. */
  readonly program: readonly string[];
  /** Folder of the sweep. */
  readonly folder: string;
}

export function workerWords({ program, folder }: WorkerCommand, threads: number | undefined): string[] {
  return [...program, 'worker', folder, ...(threads === undefined ? [] : ['--threads', String(threads)])];
}

/** Items in groups of equal size, but for the last. */
export function inGroups<Item>(items: readonly Item[], size: number): Item[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
