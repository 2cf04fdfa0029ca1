import type { ConditionRow, Difference, StudyView } from '../condition-rows.js';
import { accuracyCell, differenceCell, durationCell, factorsToShow, none } from '../results-table.js';
import { latexText } from './escape.js';
import { bytes, pValue } from './wording.js';

interface LatexColumn {
  /** Over it and its neighbours of the same group. */
  readonly group: string;
  readonly title: string;
  readonly isText: boolean;
  readonly text: (row: ConditionRow) => string;
}

/**
 * The table of results as a paper has it, over both columns: what is compared, without what only `results.csv` needs.
 * Needs the package `booktabs`, and T1 fonts for quotation marks in names.
 */
export function latexOf(view: StudyView): string {
  const columns = columnsOf(view);
  const line = (cells: readonly string[]) => `    ${cells.join(' & ')} \\\\`;
  const groups = groupsOf(columns);
  const rules = groups.filter(({ name }) => name !== '').map(({ from, to }) => `\\cmidrule(lr){${from}-${to}}`);
  return [
    '% \\usepackage[T1]{fontenc}, \\usepackage{booktabs}',
    '\\begin{table*}',
    '  \\centering',
    '  \\small',
    '  \\setlength{\\tabcolsep}{4pt}',
    `  \\caption{${latexText(caption(view))}}`,
    `  \\label{tab:${view.study.name.replaceAll(/[^A-Za-z0-9]+/g, '-')}}`,
    `  \\begin{tabular}{${columns.map(({ isText }) => (isText ? 'l' : 'r')).join('')}}`,
    '    \\toprule',
    line(
      groups.map(({ name, from, to }) => (name === '' ? '' : `\\multicolumn{${to - from + 1}}{c}{${latexText(name)}}`)),
    ),
    ...(rules.length === 0 ? [] : [`    ${rules.join(' ')}`]),
    line(columns.map(({ title }) => latexText(title))),
    '    \\midrule',
    ...view.rows.flatMap((row, index) => [
      ...(index > 0 && blockOf(row, view) !== blockOf(view.rows[index - 1], view) ? ['    \\midrule'] : []),
      line(columns.map(({ text }) => latexText(text(row)))),
    ]),
    '    \\bottomrule',
    '  \\end{tabular}',
    '\\end{table*}',
    '',
  ].join('\n');
}

function columnsOf(view: StudyView): LatexColumn[] {
  const { study, reference } = view;
  const withoutUnit = (cell: string) => cell.replace(/\u00a0%$/, '');
  const compared = (name: string, of: (row: ConditionRow) => Difference | null): LatexColumn[] => [
    { group: `to ${name}, points`, title: 'mean (95 % CI)', isText: false, text: (row) => differenceCell(of(row)) },
    { group: `to ${name}, points`, title: 'p', isText: false, text: (row) => pValue(of(row)?.p ?? null) },
  ];
  return [
    { group: '', title: 'Condition', isText: true, text: ({ condition }) => condition.name },
    ...factorsToShow(view).map(
      (factor): LatexColumn => ({
        group: '',
        title: factor,
        isText: true,
        text: ({ condition }) => condition.labels[factor] ?? none,
      }),
    ),
    {
      group: 'test accuracy, %',
      title: 'last epoch',
      isText: false,
      text: ({ last }) => withoutUnit(accuracyCell(last)),
    },
    {
      group: 'test accuracy, %',
      title: 'best epoch',
      isText: false,
      text: ({ best }) => withoutUnit(accuracyCell(best)),
    },
    ...(study.compare === null ? [] : compared(study.compare.baseline, ({ toBaseline }) => toBaseline)),
    ...(reference === null ? [] : compared(reference.condition.name, ({ toReference }) => toReference)),
    { group: 'cost', title: 'memory', isText: false, text: ({ peakBytes }) => bytes(peakBytes) },
    { group: 'cost', title: 'time', isText: false, text: ({ seconds }) => durationCell(seconds) },
  ];
}

/** Neighbouring columns of one group; columns from 1. */
function groupsOf(columns: readonly LatexColumn[]): { readonly name: string; readonly from: number; to: number }[] {
  const groups: { name: string; from: number; to: number }[] = [];
  for (const [index, { group }] of columns.entries()) {
    const last = groups.at(-1);
    if (last !== undefined && group !== '' && last.name === group) last.to = index + 1;
    else groups.push({ name: group, from: index + 1, to: index + 1 });
  }
  return groups;
}

/** A rule parts what differs in the first factor that is not compared. */
function blockOf(row: ConditionRow | undefined, { study }: StudyView): string {
  const factor = study.factors.find((name) => name !== study.compare?.factor);
  return factor === undefined ? '' : (row?.condition.labels[factor] ?? '');
}

function caption({ study, rows, finished, wanted }: StudyView): string {
  const counts = [...new Set(rows.map(({ condition }) => condition.runs.length))].sort((a, b) => a - b);
  const runs = counts.length === 1 ? `${counts[0]} runs each` : `${counts[0]} to ${counts.at(-1)} runs each`;
  const state = finished === wanted ? '' : ` ${finished} of ${wanted} runs have finished.`;
  const tests =
    study.compare === null && study.reference === null
      ? ''
      : " p values of Welch's test are adjusted by Holm's method over each column; intervals of differences are not adjusted.";
  return `${study.title}. Mean test accuracy with 95 % confidence intervals (Student's t), ${runs}. The best epoch is chosen on the test set, and so too high.${tests} Memory is the peak of live tensors, time that of training steps.${state}`;
}
