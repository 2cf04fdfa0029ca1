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
              differences.map((one) => (one.p === null ? 'untested' : verdictOf(one, metric))),
              averageVerdict(value, view),
            )}, compared with ${baseline}, all else equal (p < ${significance} after Holm's correction for ${counted(tests, 'test')}).`
          : `${value} against ${baseline}, all else equal: not tested, which takes two runs on each side and results that vary between seeds.`,
        details: [...averageOf(value, view), ...settings],
      },
    ];
  });
}

/** @param average verdict on the mean over all settings: many weak effects may add up to a clear one */
function answer(value: string, verdicts: readonly (Verdict | 'untested')[], average: Verdict): string {
  const count = verdicts.length;
  const numberOf = (one: Verdict | 'untested') => verdicts.filter((verdict) => verdict === one).length;
  const [better, worse, open, untested] = [
    numberOf('better'),
    numberOf('worse'),
    numberOf('open'),
    numberOf('untested'),
  ];
  const elsewhere =
    open > 0 && untested > 0
      ? `, no difference shown in ${open}, not tested in ${untested}`
      : open > 0
        ? ', no difference shown elsewhere'
        : untested > 0
          ? ', not tested elsewhere'
          : '';
  const where = (part: number) =>
    count === 1
      ? ''
      : part === count
        ? ` in ${count === 2 ? 'both' : `all ${count}`} settings`
        : ` in ${part} of ${count} settings`;
  if (better === 0 && worse === 0) {
    if (average === 'open' && untested > 0)
      return `${value}: no difference shown in ${open} of ${count} settings, not tested elsewhere`;
    if (average === 'open') return `${value}: no difference shown${count === 1 ? '' : ` in any of ${count} settings`}`;
    return `${value} ${average === 'better' ? 'helps' : 'hurts'} on average over ${count} settings, though no single one shows it`;
  }
  if (worse === 0) return `${value} helps${where(better)}${elsewhere}`;
  if (better === 0) return `${value} hurts${where(worse)}${elsewhere}`;
  return `${value} depends on the setting: it helps${where(better)} and hurts in ${worse}${elsewhere}`;
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
  const tests = effects.filter((one) => one.adjustedP !== null).length;
  const family = adjustedP === null ? '' : `, Holm over ${counted(tests, 'average')}`;
  return [
    `average over ${settings} settings: ${difference}, paired by seed (${counted(seeds.length, 'seed')}${family})`,
  ];
}

/** Whether a value that combines others is better than each of them alone. */
export function combinedWithParts(view: StudyView): Finding[] {
  const { study, combinations, metric } = view;
  const factor = study.compare?.factor ?? '';
  const tests = combinations.filter(({ difference }) => difference.p !== null).length;
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
      const untested = own.filter(({ difference }) => difference.p === null).length;
      return `better than ${part} alone in ${count('better')} of ${counted(own.length, 'setting')}${count('worse') > 0 ? `, worse in ${count('worse')}` : ''}${untested > 0 ? `, not tested in ${untested}` : ''}`;
    });
    return [
      {
        text: `${value} is ${listed(outcomes)} (p < ${significance} after Holm's correction for ${counted(tests, 'test')}).`,
        details: pairs.map(
          ({ row, other, difference }) =>
            `${settingOf(row, view)}, against ${other.condition.labels[factor]}: ${differenceText(difference, metric)}`,
        ),
      },
    ];
  });
}
