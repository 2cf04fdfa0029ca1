import { type ConditionRow, isEndToEnd, type StudyView } from './condition-rows.js';
import { differenceText, type Finding, mostAccurate, mostShown, rowsOf, settingOf } from './finding.js';
import { capital, counted, percent } from './text/wording.js';

/** Which local conditions reach the accuracy of the reference. */
export function reach(view: StudyView): Finding[] {
  const { rows, reference, study } = view;
  if (reference === null || reference.last === null) return [];
  const { mean, low, high, n } = reference.last;
  const name = reference.condition.name;
  if (low === null || high === null) {
    return [
      {
        text: `${capital(name)} reaches ${percent(mean)} with one run. Without an interval, it is unknown which conditions reach it.`,
        details: [],
      },
    ];
  }
  // The reference may be local itself.
  const local = rows.filter((row) => row !== reference && !isEndToEnd(row) && row.last !== null);
  const sameLength = local.filter((row) => hasSameEpochs(row, reference));
  const there = sameLength.filter((row) => isThere(row, low));
  const ofValues = rowsOf(view).flatMap(({ value, rows: all }) => {
    const own = all.filter((row) => row !== reference);
    if (own.length === 0) return [];
    const tested = own.filter(({ last }) => last !== null);
    const [nearest] = mostAccurate(tested);
    const close = nearest === undefined ? '' : `; nearest: ${settingOf(nearest, view)}, ${toReference(nearest)}`;
    return [
      `${value}: ${tested.filter((row) => isThere(row, low)).length} of ${counted(tested.length, 'setting')}${close}`,
    ];
  });
  const others = study.compare === null ? mostAccurate(local).slice(0, mostShown) : withoutValue(view, local);
  return [
    {
      text:
        `${capital(name)} reaches ${percent(mean)} (95 % CI ${percent(low)} to ${percent(high)}, ${counted(n, 'run')}). ` +
        `${there.length} of ${counted(sameLength.length, 'local condition')} with the same number of epochs ${there.length === 1 ? 'has' : 'have'} a mean inside or above this interval.` +
        (there.length === 0 ? '' : ' This does not prove equality: with few runs the interval is wide.'),
      details: [
        ...ofValues,
        ...others.map((row) => `${row.condition.name}: ${percent(row.last?.mean ?? null)}, ${toReference(row)}`),
      ],
    },
  ];
}

function isThere({ last }: ConditionRow, low: number): boolean {
  return last !== null && last.mean >= low;
}

function hasSameEpochs(row: ConditionRow, reference: ConditionRow): boolean {
  return row.condition.config.epochs === reference.condition.config.epochs;
}

function withoutValue({ study }: StudyView, rows: readonly ConditionRow[]): ConditionRow[] {
  return rows.filter(({ condition }) => condition.labels[study.compare?.factor ?? ''] === undefined);
}

function toReference({ toReference: difference }: ConditionRow): string {
  return difference === null ? 'not compared' : differenceText(difference);
}
