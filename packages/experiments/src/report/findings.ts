import type { ConditionRow, StudyView } from './condition-rows.js';
import { significance } from './condition-rows.js';
import { costs, equalCompute, worthTheirCost } from './cost-findings.js';
import { differenceText, type Finding, mostAccurate, mostShown, reaching, verdictOf } from './finding.js';
import { capital, counted, listed, percent, seedsOf } from './text/wording.js';

/** What the study shows, in sentences for readers who will not look at the table. */
export function findings(view: StudyView): Finding[] {
  if (view.finished === 0) return [{ text: `No run has finished yet; ${view.wanted} are asked for.`, details: [] }];
  return [
    ...unfinished(view),
    ...withoutTestSet(view),
    ...helpOfValues(view),
    ...reach(view),
    ...costs(view),
    ...worthTheirCost(view),
    ...equalCompute(view),
  ];
}

function unfinished({ rows, finished, wanted }: StudyView): Finding[] {
  if (finished === wanted) return [];
  return [
    {
      text: `This is not all: ${finished} of ${counted(wanted, 'run')} have finished. What is missing or failed is left out of every mean.`,
      details: rows
        .filter(({ missing }) => missing.length > 0)
        .map(({ condition, missing }) => `${condition.name}: no finished run of ${seedsOf(missing)}`),
    },
  ];
}

function withoutTestSet({ rows }: StudyView): Finding[] {
  if (rows.some(({ last }) => last !== null)) return [];
  return [{ text: 'No run was tested on a test set, so only costs can be compared.', details: [] }];
}

/** Does each value of the compared factor help, other things equal? */
function helpOfValues(view: StudyView): Finding[] {
  const { study, rows, tests } = view;
  if (study.compare === null) return [];
  const { factor, baseline } = study.compare;
  const values = [...new Set(rows.flatMap(({ condition }) => condition.labels[factor] ?? []))];
  return values.flatMap((value): Finding[] => {
    const compared = rows.flatMap((row) =>
      row.condition.labels[factor] === value && row.toBaseline !== null ? [{ row, difference: row.toBaseline }] : [],
    );
    if (compared.length === 0) return [];
    const better = compared.filter(({ difference }) => verdictOf(difference) === 'higher').length;
    const worse = compared.filter(({ difference }) => verdictOf(difference) === 'lower').length;
    const settings = counted(compared.length, 'setting');
    const tested = compared.some(({ difference }) => difference.p !== null);
    const outcome = tested
      ? `higher test accuracy in ${better} of ${settings}, lower in ${worse}` +
        (better + worse < compared.length ? `, no difference shown in ${compared.length - better - worse}` : '') +
        ` (p < ${significance} after Holm's correction for ${counted(tests, 'test')}).`
      : `no test is possible in ${settings}, with fewer than two runs on a side or none that differ.`;
    return [
      {
        text: `${value} against ${baseline}, all else equal: ${averageOf(value, view)}${outcome}`,
        details: compared.map(({ row, difference }) => `${settingOf(row, view)}: ${differenceText(difference)}`),
      },
    ];
  });
}

/** Over all settings at once: many weak signs may be a strong one. */
function averageOf(value: string, { effects }: StudyView): string {
  const effect = effects.find((candidate) => candidate.value === value);
  if (effect === undefined || effect.settings < 2 || effect.test === null) return '';
  const { test, settings, seeds, adjustedP } = effect;
  const difference = differenceText({ mean: test.difference, low: test.low, high: test.high, p: adjustedP });
  return `on average over ${settings} settings ${difference}, paired by ${counted(seeds.length, 'seed')}; `;
}

/** What a condition has besides the compared factor. */
function settingOf({ condition }: ConditionRow, { study }: StudyView): string {
  const others = study.factors.filter((name) => name !== study.compare?.factor && condition.labels[name] !== undefined);
  return others.map((name) => `${name} ${condition.labels[name]}`).join(', ') || condition.name;
}

function reach(view: StudyView): Finding[] {
  const { rows, reference, recomputed } = view;
  if (reference === null || reference.last === null) return [];
  const { mean, low, high, n } = reference.last;
  const name = reference.condition.name;
  if (low === null || high === null) {
    return [
      {
        text: `${capital(name)} reaches ${percent(mean)} with one run: no interval, so it cannot be said which conditions reach it.`,
        details: [],
      },
    ];
  }
  const others = rows.filter((row) => row !== reference && row !== recomputed && row.last !== null);
  const there = reaching(view);
  const above = there.filter((row) => (row.last?.mean ?? 0) > high);
  return [
    {
      text:
        `${capital(name)} reaches ${percent(mean)} (95 % CI ${percent(low)} to ${percent(high)}, ${counted(n, 'run')}). ` +
        `${there.length} of ${counted(others.length, 'other condition')} ${there.length === 1 ? 'has' : 'have'} a mean in that interval or above it` +
        (above.length === 0 ? '.' : `: ${listed(above.map((row) => row.condition.name))} above it.`) +
        ' To be in it is no proof of equality: with few runs it is wide.' +
        (there.length > mostShown ? ` The ${mostShown} most accurate:` : ''),
      details: mostAccurate(there).map(
        (row) =>
          `${row.condition.name}: ${percent(row.last?.mean ?? null)}` +
          (row.toReference === null ? '' : `, ${differenceText(row.toReference)} to ${name}`),
      ),
    },
  ];
}
