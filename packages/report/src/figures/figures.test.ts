import { describe, expect, it } from 'vitest';
import { placeLabels } from '../charts/label-places.js';
import { paretoFront } from '../charts/pareto.js';
import { spread } from '../charts/scales.js';
import { viewOf } from '../condition-rows.js';
import { panelsOf } from '../panels.js';
import { syntheticStudy } from '../study.fixture.js';

describe('the Pareto front', () => {
  it('omits points that another one beats in one coordinate and equals in the other', () => {
    const points = [
      { x: 3, y: 0.9 },
      { x: 1, y: 0.7 },
      { x: 2, y: 0.7 },
      { x: 2, y: 0.8 },
      { x: 4, y: 0.9 },
    ];
    expect(paretoFront(points)).toEqual([
      { x: 1, y: 0.7 },
      { x: 2, y: 0.8 },
      { x: 3, y: 0.9 },
    ]);
  });

  it('keeps equal points', () => {
    expect(
      paretoFront([
        { x: 1, y: 1 },
        { x: 1, y: 1 },
      ]),
    ).toHaveLength(2);
  });
});

describe('labels at the ends of lines', () => {
  const at = (heights: readonly number[], domain: readonly [number, number]) =>
    spread(
      heights.map((y) => ({ y })),
      1,
      domain,
    ).map((end) => end.at);

  it('move apart around their middle only if they overlap', () => {
    expect(at([5, 5, 9], [0, 10])).toEqual([4.5, 5.5, 9]);
    expect(at([5, 5, 5.2, 6.2], [0, 10]).map((y) => Math.round(100 * y) / 100)).toEqual([3.85, 4.85, 5.85, 6.85]);
  });

  it('stay in the panel', () => {
    expect(at([10, 10, 10], [0, 10])).toEqual([8, 9, 10]);
    expect(at([0, 0], [0, 10])).toEqual([0, 1]);
  });
});

it('places labels of neighboring points so that they do not overlap', () => {
  const points = Array.from({ length: 6 }, (_, index) => ({
    x: 120 + 3 * index,
    y: 100 + 4 * index,
    text: String(index),
  }));
  const labels = placeLabels(points, 250, 200);
  expect(labels.map(({ text }) => text)).toEqual(points.map(({ text }) => text));
  labels.forEach((a, index) => {
    for (const b of labels.slice(index + 1)) {
      expect(Math.abs(a.y - b.y) >= 13 || Math.abs(a.x - b.x) >= 7 || a.align !== b.align, `${a.text} ${b.text}`).toBe(
        true,
      );
    }
  });
});

describe('panels', () => {
  const view = viewOf(syntheticStudy({ epochs: 2 }));
  const panels = panelsOf(view);

  it('contain at most six lines, with the reference in each, and every condition once', () => {
    for (const { lines } of panels) {
      expect(lines.length).toBeLessThanOrEqual(6);
      expect(lines.filter(({ row }) => row.isReference)).toHaveLength(1);
      expect(new Set(lines.map(({ color, dash }) => `${color} ${dash}`)).size).toBe(lines.length);
    }
    const others = panels.flatMap(({ lines }) => lines.filter(({ row }) => !row.isReference));
    expect(others.map(({ row }) => row.number).sort((a, b) => a - b)).toEqual([
      ...Array.from({ length: 16 }, (_, index) => index + 1),
      18,
    ]);
  });

  it('use one color per value of the compared factor', () => {
    const colors = panels.flatMap(({ lines }) =>
      lines.filter(({ label }) => label === 'MLAAN').map(({ color }) => color),
    );
    expect(colors).toHaveLength(4);
    expect(new Set(colors).size).toBe(1);
  });

  it('split if a factor has many values', () => {
    const study = syntheticStudy({ hosts: ['A', 'B', 'C', 'D'], modules: [4], epochs: 1, seeds: 1 });
    const split = panelsOf(viewOf({ ...study, compare: { factor: 'host', baseline: 'A' }, factors: ['host'] }));
    expect(Math.max(...split.map(({ lines }) => lines.length))).toBe(6);
    expect(split.map(({ title }) => title)).toContain('All conditions (2 of 4)');
  });
});

it('places labels beside a line through their points', () => {
  const corners = [
    { x: 40, y: 100 },
    { x: 120, y: 100 },
    { x: 220, y: 60 },
  ];
  const labels = placeLabels(
    corners.map((corner) => ({ ...corner, text: 'MLAAN' })),
    260,
    200,
    corners,
  );
  const isOn = ({ x, y, align }: (typeof labels)[number], at: { readonly x: number; readonly y: number }) => {
    const width = 5 * 7.9;
    const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
    return at.x > left && at.x < left + width && Math.abs(at.y - y) < 7;
  };
  const samples = Array.from({ length: 181 }, (_, index) => {
    const x = 40 + index;
    return { x, y: x < 120 ? 100 : 100 - (40 * (x - 120)) / 100 };
  });
  for (const label of labels) expect(samples.filter((at) => isOn(label, at))).toEqual([]);
});
