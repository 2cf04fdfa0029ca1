import type { History, LossPoint } from '../worker/protocol.js';

export const emptyHistory: History = { steps: 0, losses: [], epochs: [] };

/** Most points of losses that are kept; a run of any length takes the same memory. */
const mostPoints = 600;

/** Appends points of losses; beyond the limit, halves their number by averaging neighbors. */
export function withLosses(points: readonly LossPoint[], more: readonly LossPoint[]): readonly LossPoint[] {
  const all = [...points, ...more];
  if (all.length <= mostPoints) return all;
  const halved: LossPoint[] = [];
  for (let index = 0; index + 1 < all.length; index += 2) {
    const [first, second] = all.slice(index, index + 2);
    if (first === undefined || second === undefined) break;
    halved.push({ step: second.step, losses: average(first.losses, second.losses) });
  }
  return all.length % 2 === 0 ? halved : [...halved, ...all.slice(-1)];
}

function average(a: LossPoint['losses'], b: LossPoint['losses']): LossPoint['losses'] {
  return Object.fromEntries(Object.entries(b).map(([id, value]) => [id, (value + (a[id] ?? value)) / 2]));
}
