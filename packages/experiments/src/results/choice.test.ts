import { describe, expect, it } from 'vitest';
import { bestCandidate, commonMetric, lastValues, metricsOf } from './choice.js';
import type { FinishedRun } from './study.js';

const loss = { name: 'loss', lowerIsBetter: true };
const iou = { name: 'meanIoU', lowerIsBetter: false };

/** A run of one epoch. */
function run(metric: typeof loss | undefined, testAccuracy: number, testMetrics = {}, more = {}): FinishedRun {
  const record = { epoch: 1, ...(metric === undefined ? {} : { metric }), testAccuracy, testLoss: 1, testMetrics };
  const summary = { status: 'finished', ...record, bestTestAccuracy: testAccuracy, epochs: [record], ...more };
  return { summary } as unknown as FinishedRun;
}

describe('bestCandidate', () => {
  it('compares the metric by which the runs choose epochs, in its direction', () => {
    // By accuracy the first one is the best.
    const [high, low] = [0.9, 0.1];
    const losses = [0.5, 0.3, 0.4].map((value, index) => [run(loss, index === 0 ? high : low, { loss: value })]);
    expect(bestCandidate(losses, 'test')).toBe(1);
    const overlaps = [0.5, 0.3, 0.7].map((value, index) => [run(iou, index === 0 ? high : low, { meanIoU: value })]);
    expect(bestCandidate(overlaps, 'test')).toBe(2);
    expect(bestCandidate([[run(undefined, low)], [run(undefined, high)]], 'test')).toBe(1);
  });

  it('returns the first of equal means, whatever the order of seeds', () => {
    const [one, other] = [
      [0.1, 0.2, 0.3],
      [0.3, 0.2, 0.1],
    ];
    expect(one.reduce((sum, value) => sum + value)).not.toBe(other.reduce((sum, value) => sum + value));
    const runs = [one, other].map((values) => values.map((value) => run(undefined, value)));
    expect(bestCandidate(runs, 'test')).toBe(0);
    expect(bestCandidate(runs.toReversed(), 'test')).toBe(0);
  });

  it('falls back on accuracy where runs name different metrics, and omits diverged runs', () => {
    const [first, second] = [run(iou, 0.2, { meanIoU: 0.9 }), run(undefined, 0.4)];
    expect(metricsOf([first, second]).map(({ name }) => name)).toEqual(['meanIoU', 'accuracy']);
    expect(commonMetric([first, second]).name).toBe('accuracy');
    expect(bestCandidate([[first], [second]], 'test')).toBe(1);
    const diverged = run(loss, 0.1, { loss: 0 }, { status: 'diverged' });
    expect(bestCandidate([[diverged], [run(loss, 0.1, { loss: 2 })]], 'test')).toBe(1);
    expect(lastValues([diverged, run(loss, 0.1, { loss: 2 })], 'test')).toEqual([2]);
    expect(bestCandidate([[diverged], [diverged]], 'test')).toBe(0);
  });
});
