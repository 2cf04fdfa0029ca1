import { expect, it } from 'vitest';
import { paretoFront } from './pareto.js';

const points = [
  { x: 3, y: 0.9 },
  { x: 1, y: 0.5 },
  { x: 2, y: 0.4 },
  { x: 2, y: 0.7 },
];

it('has the points that no other one beats, in the order of their costs', () => {
  expect(paretoFront(points).map(({ x, y }) => [x, y])).toEqual([
    [1, 0.5],
    [2, 0.7],
    [3, 0.9],
  ]);
  expect(paretoFront(points, true).map(({ x, y }) => [x, y])).toEqual([
    [1, 0.5],
    [2, 0.4],
  ]);
});

it('does not contain a point that costs more and is better only by rounding', () => {
  const least = { x: 1, y: 0.3 };
  const same = { x: 2, y: 0.1 + 0.2 };
  expect(same.y).toBeGreaterThan(least.y);
  expect(paretoFront([same, least])).toEqual([least]);
  expect(paretoFront([{ ...same, x: 1 }, least])).toHaveLength(2);
  expect(
    paretoFront([
      { x: 0.3, y: 2 },
      { x: 0.1 + 0.2, y: 3 },
      { x: 0.3, y: 4 },
    ]),
  ).toEqual([{ x: 0.3, y: 4 }]);
});
