import { expect, it } from 'vitest';
import type { LossPoint } from '../worker/protocol.js';
import { withLosses } from './history.js';

it('keeps at most 600 points of any number, which cover the whole run and keep its mean', () => {
  let points: readonly LossPoint[] = [];
  for (let step = 1; step <= 5_000; step++) {
    points = withLosses(points, [{ step, losses: { final: step } }]);
    expect(points.length).toBeLessThanOrEqual(600);
  }
  expect(points.at(-1)?.step).toBe(5_000);
  const steps = points.map(({ step }) => step);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(points[0]?.losses.final).toBeCloseTo(((points[0]?.step ?? 0) + 1) / 2, 6);
});
