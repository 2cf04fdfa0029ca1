import type { Study } from '@localgrad/experiments';
import { beforeAll, describe, expect, it } from 'vitest';
import { viewOf } from '../condition-rows.js';
import { panelsOf } from '../panels.js';
import { syntheticStudy } from '../study.fixture.js';
import { type DrawnFigure, draw, figuresOf } from './drawn-figures.js';
import type { Figure } from './figure.js';
import { equalComputeCurves, learningCurves, separabilityCurves } from './learning-curves.js';

interface DrawnSpec {
  readonly layer: readonly {
    readonly data: { readonly values: readonly Record<string, unknown>[] };
    readonly encoding: Record<'x' | 'y', { readonly title: string; readonly scale: { readonly domain: number[] } }>;
  }[];
}
const specs = (figure: Figure | null) => (figure?.panels ?? []).map(({ spec }) => spec as unknown as DrawnSpec);
/** Points of the lines. */
const valuesOf = ({ layer }: DrawnSpec) => layer[1]?.data.values as { label: string; x: number; y: number }[];
const axesOf = ({ layer }: DrawnSpec) => layer[1]?.encoding as DrawnSpec['layer'][number]['encoding'];

/** Two hosts for three epochs, and end-to-end training for twelve. */
function uneven(): Study {
  const short = syntheticStudy({ epochs: 3, seeds: 2 });
  const long = syntheticStudy({ epochs: 12, seeds: 2 }).conditions.find(({ name }) => name === 'end to end');
  if (long === undefined) throw new Error('no end to end');
  return {
    ...short,
    conditions: [...short.conditions, { ...long, key: 'long', name: 'end to end, 12 epochs' }],
  };
}

describe('curves', () => {
  const view = viewOf(uneven());
  const panels = panelsOf(view);

  it.each([
    ['epoch', learningCurves],
    ['compute', equalComputeCurves],
  ] as const)('fit x to the lines of each panel and share one accuracy range, by %s', (_, figureOf) => {
    const drawn = specs(figureOf(panels, view.metric));
    expect(drawn).toHaveLength(5);
    for (const spec of drawn) {
      const { x, y } = axesOf(spec);
      expect(x.scale.domain[1]).toBeCloseTo(Math.max(...valuesOf(spec).map((point) => point.x)), 9);
      expect(y.scale.domain).toEqual(axesOf(drawn[0] as DrawnSpec).y.scale.domain);
      expect(y.title).toBe('test accuracy');
    }
  });

  it('fill a panel with three epochs next to one with twelve', () => {
    const ends = specs(learningCurves(panels, view.metric)).map((spec) => axesOf(spec).x.scale.domain);
    expect(ends).toEqual([...Array.from({ length: 4 }, () => [1, 3]), [1, 12]]);
  });
});

describe('linear separability', () => {
  const view = viewOf(syntheticStudy({ epochs: 2, seeds: 2 }));
  const figure = separabilityCurves(view, panelsOf(view));

  it('is drawn by depth, with the point of a network of one module at the end', () => {
    const all = specs(figure).flatMap(valuesOf);
    expect(Math.min(...all.map(({ x }) => x))).toBe(1 / 8);
    const whole = all.filter(({ label }) => label === 'end to end');
    expect(whole.map(({ x }) => x)).toEqual([1]);
    for (const spec of specs(figure)) {
      const labels = new Set(valuesOf(spec).map(({ label }) => label));
      for (const label of labels) {
        expect(Math.max(...valuesOf(spec).flatMap((point) => (point.label === label ? [point.x] : [])))).toBe(1);
      }
      expect(axesOf(spec).x.title).toBe('fraction of the modules');
    }
  });

  it('is described in words and in its table', () => {
    expect(figure?.panels.at(-1)?.description).toMatch(/end to end: 8\d\.\d\d\u00a0% at the end, its only probe/);
    expect(figure?.panels[0]?.description).toMatch(/MLAAN: .* after the first of 4 modules, .* after the last/);
    expect(figure?.table.rows.filter(([name]) => name === 'DGL, K = 4').map(([, x]) => x)).toEqual([
      '1/4',
      '2/4',
      '3/4',
      '4/4',
    ]);
  });

  it('replaces a reference with one probe by the same training cut into modules, under that name', () => {
    const labels = specs(figure).map((spec) => new Set(valuesOf(spec).map(({ label }) => label)));
    for (const of of labels.slice(0, -1)) {
      expect(of).toContain('end to end recomputed');
      expect(of).not.toContain('end to end');
    }
    expect(labels.at(-1)).toContain('end to end');
    expect(figure?.caption).toContain('“end to end recomputed” is shown instead of “end to end”');
  });

  it('keeps the reference if the other condition was trained for longer', () => {
    const conditions = view.study.conditions.map((condition) =>
      condition.name === 'end to end recomputed'
        ? { ...condition, config: { ...condition.config, epochs: 9 } }
        : condition,
    );
    const longer = viewOf({ ...view.study, conditions });
    const kept = separabilityCurves(longer, panelsOf(longer));
    for (const spec of specs(kept)) expect(valuesOf(spec).map(({ label }) => label)).toContain('end to end');
    expect(kept?.caption).not.toContain('shown instead');
  });
});

describe('a figure in one file', () => {
  let drawn: DrawnFigure[];
  beforeAll(async () => {
    drawn = [];
    for (const figure of figuresOf(viewOf(uneven()))) drawn.push(await draw(figure));
  });

  it('has text of at least six points at a width of seven inches', () => {
    for (const { id, svg } of drawn) {
      const sizes = [...svg.matchAll(/font-size="([\d.]+)px"/g)].map(([, size]) => Number(size));
      const [, width] = /<svg[^>]* width="([\d.]+)"/.exec(svg) ?? [];
      expect((Math.min(...sizes) * 7 * 72) / Number(width), id).toBeGreaterThanOrEqual(6);
    }
  });

  it('names every point of the cost charts in a key', () => {
    const costs = drawn.find(({ id }) => id === 'accuracy-against-cost');
    for (const { number, condition } of viewOf(uneven()).rows) {
      expect(costs?.svg.replaceAll(/\s+/g, ' ')).toContain(`>${number} ${condition.name}<`);
    }
    expect(costs?.panels.at(-1)?.description).toContain('1: DGL, K = 4; 2: DGL + MLM, K = 4');
  });
});
