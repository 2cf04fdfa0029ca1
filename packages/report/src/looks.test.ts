import { describe, expect, it } from 'vitest';
import { viewOf } from './condition-rows.js';
import { looksByKey, panelsOf } from './panels.js';
import { syntheticStudy } from './study.fixture.js';

/** The synthetic study with rows beside its factors: end to end for longer, and local methods for longer. */
function extended(extra: number) {
  const study = syntheticStudy({ epochs: 2, seeds: 1 });
  const like = (name: string) => study.conditions.find((condition) => condition.name === name);
  const beside = (source: string, index: number) => {
    const condition = like(source);
    if (condition === undefined) throw new Error(source);
    return { ...condition, key: `${source} ${index}`, name: `${source}, ${index} epochs`, labels: {} };
  };
  return {
    ...study,
    conditions: [
      ...study.conditions,
      beside('end to end', 12),
      ...Array.from({ length: extra }, (_, index) => beside('DGL, K = 4', 10 + index)),
    ],
  };
}

function drawn(extra: number) {
  const panels = panelsOf(viewOf(extended(extra)));
  const looks = [...looksByKey(panels).values()];
  return {
    panels,
    values: looks.filter(({ row }) => row.condition.labels.add !== undefined),
    endToEnd: looks.filter(({ row }) => row.condition.config.method === 'backprop'),
    others: looks.filter(
      ({ row }) => row.condition.labels.add === undefined && row.condition.config.method !== 'backprop',
    ),
  };
}

describe('rows without the compared factor', () => {
  it('use colors that no value of the factor uses; end-to-end rows share the neutral one', () => {
    const { values, endToEnd, others } = drawn(1);
    const taken = new Set(values.map(({ color }) => color));
    expect(taken.size).toBe(4);
    expect(endToEnd.map(({ color }) => color)).toEqual([0, 0, 0]);
    expect(others).toHaveLength(1);
    for (const { color } of [...endToEnd, ...others]) expect(taken).not.toContain(color);
    expect(others[0]?.color).not.toBe(0);
  });

  it('have their own shapes', () => {
    const { values, endToEnd, others } = drawn(1);
    expect(new Set(values.map(({ shape }) => shape))).toEqual(new Set(['circle']));
    expect(new Set(endToEnd.map(({ shape }) => shape))).toEqual(new Set(['square']));
    expect(new Set(others.map(({ shape }) => shape))).toEqual(new Set(['diamond']));
  });

  it('differ from all other lines of their panel in color or pattern', () => {
    for (const extra of [1, 2, 7]) {
      for (const { lines } of drawn(extra).panels) {
        expect(new Set(lines.map(({ color, dash }) => `${color} ${dash}`)).size).toBe(lines.length);
      }
    }
  });
});
