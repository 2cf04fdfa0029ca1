import type { EpochRecord } from '@localgrad/train';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../condition-rows.js';
import { syntheticStudy } from '../study.fixture.js';
import { moduleLosses } from './module-losses.js';

/** The synthetic study, with losses of single modules next to windows as high as by guessing among ten classes. */
function studyWith(weightOf: ((isIdle: boolean) => number) | null) {
  const study = syntheticStudy({ hosts: ['DGL'], modules: [4], epochs: 2, seeds: 2 });
  return {
    ...study,
    conditions: study.conditions.map((condition) => ({
      ...condition,
      runs: condition.runs.map((run) => {
        const hasWindows = run.summary.objectives.some(({ role }) => role === 'cascaded');
        const idle = run.summary.objectives.filter(({ role }) => hasWindows && role === 'independent');
        const losses = Object.fromEntries(idle.map(({ id }) => [id, Math.log(10)]));
        const objectives = run.summary.objectives.map((objective) =>
          weightOf === null ? objective : { ...objective, weight: weightOf(idle.includes(objective)) },
        );
        const epochs = run.summary.epochs.map((epoch) => ({ ...epoch, losses: { ...epoch.losses, ...losses } }));
        return { ...run, summary: { ...run.summary, objectives, epochs } };
      }),
    })),
  };
}

interface Spec {
  readonly encoding: { readonly color: { readonly scale: { readonly domain: readonly string[] } } };
  readonly layer: readonly { readonly encoding: { readonly y: { readonly scale: { readonly domain: number[] } } } }[];
}

function drawn(weightOf: ((isIdle: boolean) => number) | null) {
  const figure = moduleLosses(viewOf(studyWith(weightOf)));
  const specs = figure?.panels.map(({ spec }) => spec as unknown as Spec) ?? [];
  return {
    caption: figure?.caption ?? '',
    rows: figure?.table.rows ?? [],
    descriptions: figure?.panels.map(({ description }) => description) ?? [],
    kinds: specs.map(({ encoding }) => encoding.color.scale.domain),
    most: specs[0]?.layer[0]?.encoding.y.scale.domain[1] ?? 0,
  };
}

describe('losses by module', () => {
  it('do not determine the axis if their weight is small, and are labeled with it', () => {
    const { most, kinds, caption, rows, descriptions } = drawn((isIdle) => (isIdle ? 0.001 : 0.999));
    expect(most).toBeLessThan(1.5);
    expect(kinds[0]).toEqual(['one module', 'classifier']);
    expect(kinds[1]).toEqual(['one module, weight 0.001 ↑', 'window of modules', 'classifier']);
    expect(caption).toContain('Weights at the end of training are given unless they are 1.');
    expect(caption).toContain('Losses with a weight below 0.01 do not determine the axis');
    expect(caption).toContain('marked with ↑');
    expect(rows.some(([, , kind, weight]) => kind === 'one module' && weight === '0.001')).toBe(true);
    // The description includes losses above the axis.
    expect(descriptions[1]).toContain('one module, weight 0.001 at module 0: 2.303');
  });

  it('determine the axis if their weight is large', () => {
    const { most, kinds, caption } = drawn((isIdle) => (isIdle ? 0.5 : 1));
    expect(most).toBeGreaterThan(Math.log(10));
    expect(kinds[1]).toEqual(['one module, weight 0.5', 'window of modules', 'classifier']);
    expect(caption).not.toContain('do not determine the axis');
  });

  it('are scaled to windows in runs without recorded weights, as the caption states', () => {
    const { most, kinds, caption } = drawn(null);
    expect(most).toBeLessThan(1.5);
    expect(kinds[1]).toEqual(['one module ↑', 'window of modules', 'classifier']);
    expect(caption).toContain('Some runs do not record the weights of their losses');
    expect(caption).toContain('logarithm of the number of classes');
    expect(caption).not.toContain('below 0.01');
  });

  it('are never rounded to zero', () => {
    const study = studyWith(() => 1);
    const small = (record: EpochRecord) => ({ ...record, losses: { ...record.losses, 'local/0': 0.000123456 } });
    const conditions = study.conditions.map((condition) => ({
      ...condition,
      runs: condition.runs.map((run) => ({
        ...run,
        summary: { ...run.summary, epochs: run.summary.epochs.map(small) },
      })),
    }));
    const figure = moduleLosses(viewOf({ ...study, conditions }));
    expect(figure?.table.rows[0]).toEqual(expect.arrayContaining(['local/0', '0.000123', '0.000123 to 0.000123']));
    expect(figure?.panels[0]?.description).toContain('one module at module 0: 0.000123');
  });
});
