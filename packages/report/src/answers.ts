import type { RowPair, StudyView } from './condition-rows.js';
import { significance } from './estimates.js';
import { differenceText, type Finding, settingOf, type Verdict, valuesOf, verdictOf } from './finding.js';
import { counted, listed } from './text/wording.js';

/** Whether each value of the compared factor helps, all else equal. */
export function helpOfValues(view: StudyView): Finding[] {
  const { study, rows, tests, metric } = view;
  if (study.compare === null) return [];
  const { factor, baseline } = study.compare;
  return valuesOf(view).flatMap((value): Finding[] => {
    const compared = rows.flatMap((row) =>
      row.condition.labels[factor] === value && row.toBaseline !== null ? [{ row, difference: row.toBaseline }] : [],
    );
    if (compared.length === 0) return [];
    const differences = compared.map(({ difference }) => difference);
    const isTested = differences.some(({ p }) => p !== null);
    const settings = compared.map(
      ({ row, difference }) => `${settingOf(row, view)}: ${differenceText(difference, metric)}`,
    );
    return [
      {
        text: isTested
          ? `${answer(
              value,
              differences.map((one) => verdictOf(one, metric)),
              averageVerdict(value, view),
            )}, compared with ${baseline}, all else equal (p < ${significance} after Holm's correction for ${counted(tests, 'test')}).`
          : `${value} against ${baseline}, all else equal: not tested, as one side has fewer than two runs or no run differs.`,
        details: [...averageOf(value, view), ...settings],
      },
    ];
  });
}

/** @param average verdict on the mean over all settings: many weak effects may add up to a clear one */
function answer(value: string, verdicts: readonly Verdict[], average: Verdict): string {
  const count = verdicts.length;
  const better = verdicts.filter((verdict) => verdict === 'better').length;
  const worse = verdicts.filter((verdict) => verdict === 'worse').length;
  const where = (part: number) =>
    count === 1
      ? ''
      : part === count
        ? ` in ${count === 2 ? 'both' : `all ${count}`} settings`
        : ` in ${part} of ${count} settings`;
  if (better === 0 && worse === 0) {
    if (average === 'open') return `${value}: no difference shown${count === 1 ? '' : ` in any of ${count} settings`}`;
    return `${value} ${average === 'better' ? 'helps' : 'hurts'} on average over ${count} settings, though no single one shows it`;
  }
  if (worse === 0) return `${value} helps${where(better)}${better < count ? ', no difference shown elsewhere' : ''}`;
  if (better === 0) return `${value} hurts${where(worse)}${worse < count ? ', no difference shown elsewhere' : ''}`;
  return `${value} depends on the setting: it helps${where(better)} and hurts in ${worse}`;
}

function averageVerdict(value: string, { effects, metric }: StudyView): Verdict {
  const effect = effects.find((candidate) => candidate.value === value);
  if (effect === undefined || effect.settings < 2 || effect.test === null) return 'open';
  return verdictOf({ p: effect.adjustedP, mean: effect.test.difference }, metric);
}

/** The average over all settings. */
function averageOf(value: string, { effects, metric }: StudyView): string[] {
  const effect = effects.find((candidate) => candidate.value === value);
  if (effect === undefined || effect.settings < 2 || effect.test === null) return [];
  const { test, settings, seeds, adjustedP } = effect;
  const difference = differenceText({ mean: test.difference, low: test.low, high: test.high, p: adjustedP }, metric);
  const family = adjustedP === null ? '' : `, Holm over ${counted(effects.length, 'average')}`;
  return [
    `average over ${settings} settings: ${difference}, paired by seed (${counted(seeds.length, 'seed')}${family})`,
  ];
}

/** Whether a value that combines others is better than each of them alone. */
export function combinedWithParts(view: StudyView): Finding[] {
  const { study, combinations, metric } = view;
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
      const count = (verdict: Verdict) =>
        own.filter(({ difference }) => verdictOf(difference, metric) === verdict).length;
      return `better than ${part} alone in ${count('better')} of ${counted(own.length, 'setting')}${count('worse') > 0 ? `, worse in ${count('worse')}` : ''}`;
    });
    return [
      {
        text: `${value} is ${listed(outcomes)} (p < ${significance} after Holm's correction for ${counted(combinations.length, 'test')}).`,
        details: pairs.map(
          ({ row, other, difference }) =>
            `${settingOf(row, view)}, against ${other.condition.labels[factor]}: ${differenceText(difference, metric)}`,
        ),
      },
    ];
  });
}
