import { join } from 'node:path';
import { rejectUnknownKeys } from '@localgrad/core';
import type { Study } from '@localgrad/experiments';
import { pngOf } from './charts/png.js';
import { viewOf } from './condition-rows.js';
import { type DrawnFigure, draw, figuresOf } from './figures/drawn-figures.js';
import { ReportFolder } from './folder/report-folder.js';
import { renderPage } from './page/page.js';
import { type PlanFigure, planFilesOf } from './plan-files.js';
import { presentable } from './presentable.js';
import { relativeAddress } from './relative-address.js';
import { resultsCsv, runsCsv } from './text/csv.js';
import { latexOf } from './text/latex.js';
import { markdownOf } from './text/markdown.js';

/** Paths of the files of a report. */
export interface ReportFiles {
  /** One self-contained page. */
  readonly html: string;
  readonly markdown: string;
  /** Table for LaTeX with booktabs and graphicx. */
  readonly latex: string;
  /** One row per condition. */
  readonly results: string;
  /** One row per run. */
  readonly runs: string;
  /** SVG and PNG of every figure and plan. */
  readonly figures: readonly string[];
}

export interface ReportOptions {
  /** Drawings of the plans of the methods. Embedded unchanged. */
  readonly planFigures?: readonly PlanFigure[];
}

/**
 * Writes the report of a study into `folder`: a page, the same content as Markdown, a table for LaTeX, numbers as CSV, and
 * figures as SVG and PNG. Equal studies yield equal bytes. The folder must be new, empty, or a report; see
 * {@link ReportFolder}. Credentials in texts are masked.
 *
 * @throws LocalgradError `invalid-option` if the folder contains something else, a file changed since the last report, or
 * the folder cannot be written; `unknown-name` or `invalid-data` if the comparison rule or the reference does not match
 * the conditions
 */
export async function writeReport(study: Study, folder: string, options: ReportOptions = {}): Promise<ReportFiles> {
  rejectUnknownKeys('writeReport', options, ['planFigures']);
  const { planFigures = [] } = options;
  const target = await ReportFolder.inspect(folder);
  const view = viewOf(presentable(study));
  const figures: DrawnFigure[] = [];
  for (const figure of figuresOf(view)) figures.push(await draw(figure));
  const linkTo = (run: string) => relativeAddress(target.path, run);
  const plans = planFilesOf(planFigures);
  const pictures = new Map<string, string | Uint8Array>();
  for (const { id, svg, png } of figures) {
    pictures.set(`figures/${id}.svg`, svg);
    pictures.set(`figures/${id}.png`, png);
  }
  for (const { id, svg } of plans) {
    pictures.set(`figures/${id}.svg`, svg);
    pictures.set(`figures/${id}.png`, await pngOf(svg));
  }
  await target.replace(
    new Map([
      ...pictures,
      ['results.csv', resultsCsv(view)],
      ['runs.csv', runsCsv(view)],
      ['report.tex', latexOf(view)],
      ['report.md', markdownOf(view, figures, plans)],
      ['report.html', renderPage({ view, figures, plans, linkTo })],
    ]),
  );
  const file = (name: string) => join(folder, name);
  return {
    html: file('report.html'),
    markdown: file('report.md'),
    latex: file('report.tex'),
    results: file('results.csv'),
    runs: file('runs.csv'),
    figures: [...pictures.keys()].map(file),
  };
}
