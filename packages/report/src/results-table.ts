import { type ConditionRow, chosenOf, type Difference, finishedRuns, type StudyView } from './condition-rows.js';
import type { Accuracy, Estimate } from './estimates.js';
import type { MetricWords } from './text/metric-words.js';
import { bytes, duration, none, pValue } from './text/wording.js';

/** A column of the table of results. */
export interface ResultColumn {
  readonly title: string;
  readonly isText: boolean;
  readonly text: (row: ConditionRow) => string;
}

/** Columns of the table with one row per condition, the most important first. The second one names the condition. */
export function resultColumns(view: StudyView): ResultColumn[] {
  const { study, reference, metric } = view;
  const referenceName = reference?.condition.name ?? '';
  const difference = (title: string, of: (row: ConditionRow) => Difference | null): ResultColumn[] => [
    { title: `${title}${metric.unit} (95 % CI)`, isText: false, text: (row) => differenceCell(of(row), metric) },
    { title: 'p (Holm)', isText: false, text: (row) => pValue(of(row)?.p ?? null) },
    { title: 'Hedges’ g', isText: false, text: (row) => of(row)?.hedgesG?.toFixed(2).replace('-', '−') ?? none },
  ];
  const columns: (ResultColumn | readonly ResultColumn[])[] = [
    { title: '#', isText: false, text: ({ number }) => String(number) },
    { title: 'Condition', isText: true, text: ({ condition }) => condition.name },
    factorsToShow(view).map((factor) => ({
      title: factor,
      isText: true,
      text: ({ condition }) => condition.labels[factor] ?? none,
    })),
    (study.tune ?? []).map((key) => ({
      title: `${key}, chosen`,
      isText: true,
      text: (row) => chosenOf(row, view)[key] ?? none,
    })),
    {
      title: `Test ${metric.name}, last epoch (95 % CI)`,
      isText: false,
      text: (row) => valueCellOf(row, row.last, metric),
    },
    { title: 'Peak memory', isText: false, text: ({ peakBytes }) => bytes(peakBytes) },
    { title: 'Training time (95 % CI)', isText: false, text: ({ seconds }) => durationCell(seconds) },
    study.compare === null ? [] : difference(`To ${study.compare.baseline}`, ({ toBaseline }) => toBaseline),
    reference === null ? [] : difference(`To ${referenceName}`, ({ toReference }) => toReference),
    { title: 'Best epoch (95 % CI)', isText: false, text: (row) => valueCellOf(row, row.best, metric) },
    {
      title: 'BCa interval',
      isText: false,
      text: ({ last }) =>
        last?.bootstrap == null ? none : `${metric.value(last.bootstrap[0])} to ${metric.value(last.bootstrap[1])}`,
    },
    { title: 'Units of work', isText: false, text: ({ unitsOfWork }) => unitsOfWork?.toFixed(2) ?? none },
    { title: 'Runs', isText: false, text: runsCell },
  ];
  return columns.flat();
}

/** Factors that the names of conditions do not already contain; most names are made of them. */
export function factorsToShow({ study, rows }: StudyView): string[] {
  const used = study.factors.filter((factor) => rows.some(({ condition }) => condition.labels[factor] !== undefined));
  const isTold = rows.every(({ condition }) => {
    const parts = condition.name.split(', ');
    return used.every((factor) => {
      const label = condition.labels[factor];
      return label === undefined || parts.includes(label) || parts.includes(`${factor} ${label}`);
    });
  });
  return isTold ? [] : used;
}

/** Marks a mean that omits diverged or stopped runs. */
export const omissionMark = '†';

/** The compared metric of a condition, marked if it omits runs that diverged or were stopped. */
export function valueCellOf({ diverged, stopped }: ConditionRow, value: Accuracy | null, metric: MetricWords): string {
  if (diverged.length + stopped.length === 0) return valueCell(value, metric);
  if (value !== null) return `${valueCell(value, metric)} ${omissionMark}`;
  return diverged.length > 0 ? 'diverged' : 'stopped early';
}

/** `88.12 ± 0.40 %`: the mean and half of its t interval. */
function valueCell(value: Accuracy | null, metric: MetricWords): string {
  if (value === null) return none;
  const { mean, high } = value;
  return high === null ? metric.value(mean) : metric.around(mean, high - mean);
}

/** The mean and half of its t interval in per cent: concurrent runs disturb each other's times. */
export function durationCell(seconds: Estimate | null): string {
  if (seconds === null) return none;
  const { mean, high } = seconds;
  return high === null ? duration(mean) : `${duration(mean)} ± ${Math.round((100 * (high - mean)) / mean)}\u00a0%`;
}

export function differenceCell(difference: Difference | null, { signed }: MetricWords): string {
  if (difference === null) return none;
  const { mean, low, high } = difference;
  return low === null || high === null ? signed(mean) : `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}

function runsCell(row: ConditionRow): string {
  const finished = finishedRuns(row);
  const count = row.missing.length === 0 ? String(finished) : `${finished} of ${finished + row.missing.length}`;
  const omitted = [
    ...(row.diverged.length === 0 ? [] : [`${row.diverged.length} diverged`]),
    ...(row.stopped.length === 0 ? [] : [`${row.stopped.length} stopped`]),
  ];
  return [count, ...omitted].join(', ');
}
