import { expect, it } from 'vitest';
import { costChart } from './cost-chart.js';

it('clips intervals that are wider than the axis, as those of few seeds are', () => {
  const look = { color: 0, shape: 'circle' } as const;
  const point = { ...look, text: '1', x: 2, y: 0.2, low: -0.16, high: 0.58 };
  const { layer } = costChart([point], {
    title: '',
    x: 'seconds',
    y: { title: 'accuracy', domain: [0, 0.5], format: null },
    front: [point],
  }) as unknown as { layer: { mark: object; encoding: { y: { field?: string } } }[] };
  expect(layer.find(({ encoding }) => encoding.y.field === 'low')?.mark).toMatchObject({ type: 'rule', clip: true });
});
