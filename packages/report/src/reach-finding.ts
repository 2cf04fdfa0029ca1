import { type ConditionRow, isEndToEnd, type StudyView } from './condition-rows.js';
import { bestFirst, differenceText, type Finding, mostShown, rowsOf, settingOf } from './finding.js';
import type { MetricWords } from './text/metric-words.js';
import { capital, counted } from './text/wording.js';

/** Which local conditions reach the reference. */
export function reach(view: StudyView): Finding[] {
  const { rows, reference, study, metric } = view;
  const { value: text, side } = metric;
  if (reference === null || reference.last === null) return [];
  const { mean, low, high, n } = reference.last;
  const name = reference.condition.name;
  if (low === null || high === null) {
    return [
      {
        text: `${capital(name)} reaches ${text(mean)} with one run. Without an interval, it is unknown which conditions reach it.`,
        details: [],
      },
    ];
  }
  // The reference may be local itself.
  const local = rows.filter((row) => row !== reference && !isEndToEnd(row) && row.last !== null);
  const sameLength = local.filter((row) => hasSameEpochs(row, reference));
  const reached = metric.metric.lowerIsBetter ? { most: high } : { least: low };
  const there = sameLength.filter((row) => isThere(row, reached));
  const ofValues = rowsOf(view).flatMap(({ value, rows: all }) => {
    const own = all.filter((row) => sameLength.includes(row));
    const [best] = bestFirst(own, metric);
    if (best === undefined) return [];
    return [
      `${value}: ${own.filter((row) => isThere(row, reached)).length} of ${counted(own.length, 'setting')}; best: ${settingOf(best, view)}, ${toReference(best, metric)}`,
    ];
  });
  const others = study.compare === null ? bestFirst(local, metric).slice(0, mostShown) : withoutValue(view, local);
  return [
    {
      text:
        `${capital(name)} reaches ${text(mean)} (95 % CI ${text(low)} to ${text(high)}, ${counted(n, 'run')}). ` +
        `${there.length} of ${counted(sameLength.length, 'local condition')} with the same number of epochs ${there.length === 1 ? 'has' : 'have'} a mean inside or ${side === 'lower' ? 'below' : 'above'} this interval.` +
        (there.length === 0 ? '' : ' This does not prove equality: with few runs the interval is wide.'),
      details: [
        ...ofValues,
        ...others.map((row) => `${row.condition.name}: ${text(row.last?.mean ?? null)}, ${toReference(row, metric)}`),
      ],
    },
  ];
}

function isThere(
  { last }: ConditionRow,
  { least = -Infinity, most = Infinity }: { readonly least?: number; readonly most?: number },
): boolean {
  return last !== null && last.mean >= least && last.mean <= most;
}

function hasSameEpochs(row: ConditionRow, reference: ConditionRow): boolean {
  return row.condition.config.epochs === reference.condition.config.epochs;
}

function withoutValue({ study }: StudyView, rows: readonly ConditionRow[]): ConditionRow[] {
  return rows.filter(({ condition }) => condition.labels[study.compare?.factor ?? ''] === undefined);
}

function toReference({ toReference: difference }: ConditionRow, metric: MetricWords): string {
  return difference === null ? 'not compared' : differenceText(difference, metric);
}
