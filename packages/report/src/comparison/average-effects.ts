import { rejectUnknownKeys } from '@localgrad/core';
import type { Study } from '@localgrad/experiments';
import type { DifferenceTest } from '@localgrad/statistics';
import { holm, pairedTest } from '@localgrad/statistics';
import {
  type AccuracyMeasure,
  type ComparisonOptions,
  comparisonOptionNames,
  factorPairs,
  measured,
} from './compare-conditions.js';

/** Average effect of a value of the compared factor over all settings of the other factors. */
export interface AverageEffect {
  /** Value of the compared factor. */
  readonly value: string;
  /** Number of pairs of conditions that differ only in the compared factor. */
  readonly settings: number;
  /** Seeds that have a run in all of these conditions. */
  readonly seeds: readonly number[];
  /** Value minus baseline, accuracies in [−1, 1] or another metric; null without such seeds. */
  readonly test: DifferenceTest | null;
  /** p value of `test`, adjusted by Holm's method over the values; null if `test` has none. */
  readonly adjustedP: number | null;
}

/**
 * Tests each value of `study.compare.factor` against the baseline over all settings at once: a paired t test of the mean over
 * the settings for each seed. Seeds are the random factor; the settings are fixed, not a sample. Omits diverged runs.
 *
 * @returns one effect per value with a pair, in the order of conditions; none without `study.compare`
 * @throws LocalgradError as `compareConditions`
 */
export function averageEffects(
  study: Study,
  measure: AccuracyMeasure,
  options: ComparisonOptions = {},
): AverageEffect[] {
  rejectUnknownKeys('averageEffects', options, comparisonOptionNames);
  const { confidence = 0.95, metric } = options;
  const { factor } = study.compare ?? { factor: '' };
  const pairs = factorPairs(study).map(([condition, against]) => ({
    value: condition.labels[factor] ?? '',
    condition,
    against,
  }));
  const effects = [...new Set(pairs.map(({ value }) => value))].map((value) => {
    const ofValue = pairs.filter((pair) => pair.value === value);
    const values = ofValue.map(({ condition, against }) => ({
      ours: measured(condition.runs, measure, metric),
      theirs: measured(against.runs, measure, metric),
    }));
    const [first] = values;
    const seeds = [...(first?.ours.keys() ?? [])].filter((seed) =>
      values.every(({ ours, theirs }) => ours.has(seed) && theirs.has(seed)),
    );
    const meanOver = (side: 'ours' | 'theirs') =>
      seeds.map((seed) => values.reduce((sum, of) => sum + (of[side].get(seed) ?? 0), 0) / values.length);
    const test = seeds.length === 0 ? null : pairedTest(meanOver('ours'), meanOver('theirs'), { confidence });
    return { value, settings: ofValue.length, seeds, test };
  });
  const tested = effects.flatMap(({ value, test }) => (typeof test?.p === 'number' ? [{ value, p: test.p }] : []));
  const adjusted = holm(tested.map(({ p }) => p));
  const byValue = new Map(tested.map(({ value }, index) => [value, adjusted[index] ?? null]));
  return effects.map((effect) => ({ ...effect, adjustedP: byValue.get(effect.value) ?? null }));
}
