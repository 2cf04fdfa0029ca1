import type { Difference, RowPair, StudyView } from './condition-rows.js';
import { significance } from './estimates.js';
import { differenceText, type Finding, settingOf, valuesOf, verdictOf } from './finding.js';
import { counted, listed } from './text/wording.js';

/** Whether each value of the compared factor helps, all else equal. */
export function helpOfValues(view: StudyView): Finding[] {
  const { study, rows, tests } = view;
  if (study.compare === null) return [];
  const { factor, baseline } = study.compare;
  return valuesOf(view).flatMap((value): Finding[] => {
    const compared = rows.flatMap((row) =>
      row.condition.labels[factor] === value && row.toBaseline !== null ? [{ row, difference: row.toBaseline }] : [],
    );
    if (compared.length === 0) return [];
    const differences = compared.map(({ difference }) => difference);
    const isTested = differences.some(({ p }) => p !== null);
    const settings = compared.map(({ row, difference }) => `${settingOf(row, view)}: ${differenceText(difference)}`);
    return [
      {
        text: isTested
          ? `${answer(value, differences, averageVerdict(value, view))}, compared with ${baseline}, all else equal (p < ${significance} after Holm's correction for ${counted(tests, 'test')}).`
          : `${value} against ${baseline}, all else equal: not tested, as one side has fewer than two runs or no run differs.`,
        details: [...averageOf(value, view), ...settings],
      },
    ];
  });
}

/** @param average verdict on the mean over all settings: many weak effects may add up to a clear one */
function answer(value: string, differences: readonly Difference[], average: 'higher' | 'lower' | 'open'): string {
  const count = differences.length;
  const better = differences.filter((difference) => verdictOf(difference) === 'higher').length;
  const worse = differences.filter((difference) => verdictOf(difference) === 'lower').length;
  const where = (part: number) =>
    count === 1
      ? ''
      : part === count
        ? ` in ${count === 2 ? 'both' : `all ${count}`} settings`
        : ` in ${part} of ${count} settings`;
  if (better === 0 && worse === 0) {
    if (average === 'open') return `${value}: no difference shown${count === 1 ? '' : ` in any of ${count} settings`}`;
    return `${value} ${average === 'higher' ? 'helps' : 'hurts'} on average over ${count} settings, though no single one shows it`;
  }
  if (worse === 0) return `${value} helps${where(better)}${better < count ? ', no difference shown elsewhere' : ''}`;
  if (better === 0) return `${value} hurts${where(worse)}${worse < count ? ', no difference shown elsewhere' : ''}`;
  return `${value} depends on the setting: it helps${where(better)} and hurts in ${worse}`;
}

function averageVerdict(value: string, { effects }: StudyView): 'higher' | 'lower' | 'open' {
  const effect = effects.find((candidate) => candidate.value === value);
  if (effect === undefined || effect.settings < 2 || effect.test === null) return 'open';
  return verdictOf({ p: effect.adjustedP, mean: effect.test.difference });
}

/** The average over all settings. */
function averageOf(value: string, { effects }: StudyView): string[] {
  const effect = effects.find((candidate) => candidate.value === value);
  if (effect === undefined || effect.settings < 2 || effect.test === null) return [];
  const { test, settings, seeds, adjustedP } = effect;
  const difference = differenceText({ mean: test.difference, low: test.low, high: test.high, p: adjustedP });
  const family = adjustedP === null ? '' : `, Holm over ${counted(effects.length, 'average')}`;
  return [
    `average over ${settings} settings: ${difference}, paired by seed (${counted(seeds.length, 'seed')}${family})`,
  ];
}

/** Whether a value that combines others is better than each of them alone. */
export function combinedWithParts(view: StudyView): Finding[] {
  const { study, combinations } = view;
  const factor = study.compare?.factor ?? '';
  const groups = new Map<string, RowPair[]>();
  for (const pair of combinations) {
    const value = pair.row.condition.labels[factor] ?? '';
    groups.set(value, [...(groups.get(value) ?? []), pair]);
  }
  return [...groups].flatMap(([value, pairs]): Finding[] => {
    if (pairs.every(({ difference }) => difference.p === null)) return [];
    const parts = [...new Set(pairs.map(({ other }) => other.condition.labels[factor] ?? ''))];
    const outcomes = parts.map((part) => {
      const own = pairs.filter(({ other }) => other.condition.labels[factor] === part);
      const count = (verdict: string) => own.filter(({ difference }) => verdictOf(difference) === verdict).length;
      return `better than ${part} alone in ${count('higher')} of ${counted(own.length, 'setting')}${count('lower') > 0 ? `, worse in ${count('lower')}` : ''}`;
    });
    return [
      {
        text: `${value} is ${listed(outcomes)} (p < ${significance} after Holm's correction for ${counted(combinations.length, 'test')}).`,
        details: pairs.map(
          ({ row, other, difference }) =>
            `${settingOf(row, view)}, against ${other.condition.labels[factor]}: ${differenceText(difference)}`,
        ),
      },
    ];
  });
}
