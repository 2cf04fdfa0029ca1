import type { History, LossPoint } from '../worker/protocol.js';

export const emptyHistory: History = { steps: 0, losses: [], epochs: [] };

/** Most points of losses that are kept; a run of any length takes the same memory. */
const mostPoints = 600;

/** Appends points of losses; beyond the limit, averages neighbors to half of it, evenly over the steps. */
export function withLosses(points: readonly LossPoint[], more: readonly LossPoint[]): readonly LossPoint[] {
  const all = [...points, ...more];
  const last = all.at(-1)?.step ?? 0;
  if (all.length <= mostPoints) return all;
  const width = last / (mostPoints / 2);
  const bins = new Map<number, { step: number; steps: number; sums: Record<string, number> }>();
  let before = 0;
  for (const { step, losses } of all) {
    const position = Math.floor((step - 1) / width);
    const bin = bins.get(position) ?? { step, steps: 0, sums: {} };
    // A point is a mean over the steps since the previous one.
    const steps = step - before;
    for (const [id, value] of Object.entries(losses)) bin.sums[id] = (bin.sums[id] ?? 0) + steps * value;
    bin.steps += steps;
    bin.step = step;
    bins.set(position, bin);
    before = step;
  }
  return [...bins.values()].map(({ step, steps, sums }) => ({
    step,
    losses: Object.fromEntries(Object.entries(sums).map(([id, sum]) => [id, sum / steps])),
  }));
}
