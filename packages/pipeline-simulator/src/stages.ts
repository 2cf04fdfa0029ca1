import type { Machines, ModuleCost } from './machines.js';

/** Adjacent modules on one machine. */
export type Stage = readonly ModuleCost[];

/**
 * Cuts modules into adjacent, nonempty groups whose longest takes as little time as possible.
 *
 * @param count number of groups; at most the number of modules
 */
export function balancedStages(
  modules: readonly ModuleCost[],
  count: number,
  secondsOf: (module: ModuleCost) => number,
): Stage[] {
  const sums = [0];
  for (const module of modules) sums.push((sums.at(-1) ?? 0) + secondsOf(module));
  const between = (from: number, to: number) => (sums[to] ?? 0) - (sums[from] ?? 0);
  // For each number of modules: the longest group of their best cut, and where its last group starts.
  let longest: readonly number[] = sums;
  const lastStarts: number[][] = [sums.map(() => 0)];
  for (let groups = 2; groups <= count; groups++) {
    const starts = sums.map(() => 0);
    const before = longest;
    longest = sums.map((_, end) => {
      let best = Number.POSITIVE_INFINITY;
      for (let start = end - 1; start >= groups - 1; start--) {
        const last = between(start, end);
        // Earlier starts only make the last group longer.
        if (last >= best) break;
        const candidate = Math.max(before[start] ?? 0, last);
        if (candidate >= best) continue;
        best = candidate;
        starts[end] = start;
      }
      return best;
    });
    lastStarts.push(starts);
  }
  const stages: Stage[] = [];
  let end = modules.length;
  for (const starts of lastStarts.toReversed()) {
    const start = starts[end] ?? 0;
    stages.unshift(modules.slice(start, end));
    end = start;
  }
  return stages;
}

/** Cuts modules into stages of given lengths. @throws RangeError unless there is one for each machine, and they contain all modules */
export function stagesOf(modules: readonly ModuleCost[], counts: readonly number[], { workers }: Machines): Stage[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const areCounts = counts.every((count) => Number.isInteger(count) && count >= 1);
  if (!areCounts || counts.length !== workers || all !== modules.length) {
    throw new RangeError(
      `stages is [${counts.join(', ')}]; allowed: ${workers} integers ≥ 1 whose sum is ${modules.length}, the number of modules.`,
    );
  }
  let end = 0;
  return counts.map((count) => {
    end += count;
    return modules.slice(end - count, end);
  });
}

/** Sum of a cost over a stage's modules. */
export function total(stage: Stage, costOf: (module: ModuleCost) => number): number {
  return stage.reduce((sum, module) => sum + costOf(module), 0);
}
