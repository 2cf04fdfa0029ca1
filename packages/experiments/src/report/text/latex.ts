import type { StudyView } from '../condition-rows.js';
import { resultColumns } from '../results-table.js';
import { latexText } from './escape.js';

/** The table of results for a paper. Needs the package `booktabs`, and T1 fonts for quotation marks in names. */
export function latexOf(view: StudyView): string {
  const columns = resultColumns(view);
  const line = (cells: readonly string[]) => `    ${cells.join(' & ')} \\\\`;
  return [
    '% \\usepackage[T1]{fontenc}, \\usepackage{booktabs} and, for wide tables, \\usepackage{graphicx}',
    '\\begin{table}',
    '  \\centering',
    `  \\caption{${latexText(caption(view))}}`,
    `  \\label{tab:${view.study.name.replaceAll(/[^A-Za-z0-9]+/g, '-')}}`,
    '  \\resizebox{\\linewidth}{!}{%',
    `  \\begin{tabular}{${columns.map(({ isText }) => (isText ? 'l' : 'r')).join('')}}`,
    '    \\toprule',
    line(columns.map(({ title }) => latexText(title))),
    '    \\midrule',
    ...view.rows.map((row) => line(columns.map(({ text }) => latexText(text(row))))),
    '    \\bottomrule',
    '  \\end{tabular}}',
    '\\end{table}',
    '',
  ].join('\n');
}

function caption({ study, finished, wanted }: StudyView): string {
  const state = finished === wanted ? '' : ` ${finished} of ${wanted} runs have finished.`;
  return `${study.title}. Mean test accuracy after the last epoch with its 95 % confidence interval (Student's t); p values of Welch's test, adjusted by Holm's method.${state}`;
}
