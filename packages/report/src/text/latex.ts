import { type ConditionRow, chosenOf, type Difference, type StudyView } from '../condition-rows.js';
import { differenceCell, durationCell, factorsToShow, omissionMark, valueCellOf } from '../results-table.js';
import { bestEpochNote } from '../selection.js';
import { latexText, untypesettable } from './escape.js';
import { bytes, none, pValue } from './wording.js';

interface LatexColumn {
  /** Title over adjacent columns of the same group. */
  readonly group: string;
  readonly title: string;
  readonly isText: boolean;
  readonly text: (row: ConditionRow) => string;
}

/**
 * The table of results for a paper, across both columns: the compared values, without details that only `results.csv`
 * needs. Tables that are wider than the page are scaled down; long ones continue in another table.
 */
export function latexOf(view: StudyView): string {
  const tables = chunksOf(view.rows, mostRows).map((rows, index) => tableOf(view, rows, index));
  const text = [
    '% \\usepackage[T1]{fontenc}, \\usepackage{booktabs}; \\usepackage{graphicx} scales tables that are wider than the page',
    ...tables.flatMap(({ lines }) => lines),
    '',
  ].join('\n');
  const others = [...new Set(tables.flatMap(({ texts }) => texts.flatMap(untypesettable)))];
  if (others.length === 0) return text;
  return `% pdfLaTeX cannot typeset ${others.join(' ')}; use LuaLaTeX or XeLaTeX with fonts that have these characters.\n${text}`;
}

/** More rows do not fit a page. */
const mostRows = 40;

function tableOf(view: StudyView, rows: readonly ConditionRow[], index: number) {
  const columns = columnsOf(view);
  const groups = groupsOf(columns);
  const caption = index === 0 ? captionOf(view) : `${view.study.title} (continued).`;
  const cells = rows.map((row) => columns.map(({ text }) => text(row)));
  const titles = columns.map(({ title }) => title);
  const line = (parts: readonly string[]) => `    ${parts.join(' & ')} \\\\`;
  const rules = groups.filter(({ name }) => name !== '').map(({ from, to }) => `\\cmidrule(lr){${from}-${to}}`);
  const lines = [
    '\\begin{table*}',
    '  \\centering',
    '  \\small',
    '  \\setlength{\\tabcolsep}{4pt}',
    `  \\caption{${latexText(caption)}}`,
    `  \\label{tab:${view.study.name.replaceAll(/[^A-Za-z0-9]+/g, '-')}${index === 0 ? '' : `-${index + 1}`}}`,
    // Without graphicx, tables keep their width.
    '  \\providecommand{\\resizebox}[3]{#3}',
    // Only if it is too wide.
    '  \\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%',
    `  \\begin{tabular}{${columns.map(({ isText }) => (isText ? 'l' : 'r')).join('')}}`,
    '    \\toprule',
    line(
      groups.map(({ name, from, to }) => (name === '' ? '' : `\\multicolumn{${to - from + 1}}{c}{${latexText(name)}}`)),
    ),
    ...(rules.length === 0 ? [] : [`    ${rules.join(' ')}`]),
    line(titles.map(latexText)),
    '    \\midrule',
    ...rows.flatMap((row, at) => [
      ...(at > 0 && blockOf(row, view) !== blockOf(rows[at - 1], view) ? ['    \\midrule'] : []),
      line((cells[at] ?? []).map(latexText)),
    ]),
    '    \\bottomrule',
    '  \\end{tabular}}',
    '\\end{table*}',
  ];
  return { lines, texts: [caption, ...groups.map(({ name }) => name), ...titles, ...cells.flat()] };
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

function columnsOf(view: StudyView): LatexColumn[] {
  const { study, reference, metric } = view;
  const measured = `test ${metric.name}${metric.isFraction ? ', %' : ''}`;
  const withoutUnit = (cell: string) => cell.replace(/\u00a0%/, '');
  const compared = (name: string, of: (row: ConditionRow) => Difference | null): LatexColumn[] => [
    {
      group: `to ${name}${metric.unit}`,
      title: 'mean (95 % CI)',
      isText: false,
      text: (row) => differenceCell(of(row), metric),
    },
    { group: `to ${name}${metric.unit}`, title: 'p', isText: false, text: (row) => pValue(of(row)?.p ?? null) },
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
    ...(study.tune ?? []).map(
      (name): LatexColumn => ({
        group: '',
        title: `${name}, chosen`,
        isText: true,
        text: (row) => chosenOf(row, view)[name] ?? none,
      }),
    ),
    {
      group: measured,
      title: 'last epoch',
      isText: false,
      text: (row) => withoutUnit(valueCellOf(row, row.last, metric)),
    },
    {
      group: measured,
      title: 'best epoch',
      isText: false,
      text: (row) => withoutUnit(valueCellOf(row, row.best, metric)),
    },
    ...(study.compare === null ? [] : compared(study.compare.baseline, ({ toBaseline }) => toBaseline)),
    ...(reference === null ? [] : compared(reference.condition.name, ({ toReference }) => toReference)),
    { group: 'cost', title: 'memory', isText: false, text: ({ peakBytes }) => bytes(peakBytes) },
    { group: 'cost', title: 'time', isText: false, text: ({ seconds }) => durationCell(seconds) },
  ];
}

/** Groups of adjacent columns, numbered from 1. */
function groupsOf(columns: readonly LatexColumn[]): { readonly name: string; readonly from: number; to: number }[] {
  const groups: { name: string; from: number; to: number }[] = [];
  for (const [index, { group }] of columns.entries()) {
    const last = groups.at(-1);
    if (last !== undefined && group !== '' && last.name === group) last.to = index + 1;
    else groups.push({ name: group, from: index + 1, to: index + 1 });
  }
  return groups;
}

/** Rules separate rows that differ in the first factor that is not compared. */
function blockOf(row: ConditionRow | undefined, { study }: StudyView): string {
  const factor = study.factors.find((name) => name !== study.compare?.factor);
  return factor === undefined ? '' : (row?.condition.labels[factor] ?? '');
}

function captionOf({ study, selection, metric, rows, finished, wanted, stopped }: StudyView): string {
  const marked = rows.some(({ diverged, stopped }) => diverged.length + stopped.length > 0)
    ? ` ${omissionMark} omits runs that diverged or were stopped early.`
    : '';
  const counts = [...new Set(rows.map(({ condition }) => condition.runs.length))].sort((a, b) => a - b);
  const runs =
    counts.length === 1
      ? `${counts[0]} ${counts[0] === 1 ? 'run' : 'runs'} each`
      : `${counts[0]} to ${counts.at(-1)} runs each`;
  const state = finished === wanted ? '' : ` ${finished} of ${wanted + stopped} runs have finished.`;
  const tests =
    study.compare === null && study.reference === null
      ? ''
      : " p values of Welch's test are adjusted by Holm's method over each column; intervals of differences are not adjusted.";
  return `${study.title}. Mean test ${metric.name} with 95 % confidence intervals (Student's t), ${runs}. The best epoch ${bestEpochNote(selection)}.${tests} Memory is the peak of live tensors, time that of training steps.${state}${marked}`;
}
