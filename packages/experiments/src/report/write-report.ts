import { rm } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import type { Study } from '../results/study.js';
import { writeWhole } from '../runs/index.js';
import { viewOf } from './condition-rows.js';
import { type DrawnFigure, draw, figuresOf } from './figures/drawn-figures.js';
import { figureIds } from './figures/figure.js';
import { type PlanFigure, renderPage } from './page/page.js';
import { resultsCsv, runsCsv } from './text/csv.js';
import { latexOf } from './text/latex.js';
import { markdownOf } from './text/markdown.js';

/** Paths of what a report is made of. */
export interface ReportFiles {
  /** One self-contained page. */
  readonly html: string;
  readonly markdown: string;
  /** A table for LaTeX with booktabs. */
  readonly latex: string;
  /** One line a condition. */
  readonly results: string;
  /** One line a run. */
  readonly runs: string;
  /** SVG and PNG of every figure. */
  readonly figures: readonly string[];
}

export interface ReportOptions {
  /** Drawings of the plans of the study's methods, for the page. They are put in as they are. */
  readonly planFigures?: readonly PlanFigure[];
}

/**
 * Writes the report of a study into `folder`: a page, the same as Markdown, a table for LaTeX, numbers as CSV, figures as SVG
 * and PNG. The same study gives the same bytes; figures of an older report there are removed.
 *
 * @throws LocalgradError `invalid-option` where the folder cannot be written; `unknown-name` or `invalid-data` for a
 * study whose comparison rule or reference does not fit its conditions
 */
export async function writeReport(
  study: Study,
  folder: string,
  { planFigures = [] }: ReportOptions = {},
): Promise<ReportFiles> {
  const view = viewOf(study);
  const figures: DrawnFigure[] = [];
  for (const figure of figuresOf(view)) figures.push(await draw(figure));
  const linkTo = (run: string) => {
    const path = relative(resolve(folder), resolve(run));
    // A report that is kept elsewhere will be read where the runs are not.
    return path.split(sep).filter((part) => part === '..').length > 1 ? null : addressOf(path);
  };
  const files = {
    html: join(folder, 'report.html'),
    markdown: join(folder, 'report.md'),
    latex: join(folder, 'report.tex'),
    results: join(folder, 'results.csv'),
    runs: join(folder, 'runs.csv'),
  };
  const pictures = figures.flatMap(({ id, svg, png }): [string, string | Uint8Array][] => [
    [join(folder, 'figures', `${id}.svg`), svg],
    [join(folder, 'figures', `${id}.png`), png],
  ]);
  await removeStale(folder, figures);
  for (const [file, content] of pictures) await writeWhole(file, content);
  await writeWhole(files.results, resultsCsv(view));
  await writeWhole(files.runs, runsCsv(view));
  await writeWhole(files.latex, latexOf(view));
  await writeWhole(files.markdown, markdownOf(view, figures));
  await writeWhole(files.html, renderPage({ view, figures, planFigures, linkTo }));
  return { ...files, figures: pictures.map(([file]) => file) };
}

/** Removes figures of an older report that this one does not have, and nothing else. */
async function removeStale(folder: string, figures: readonly DrawnFigure[]): Promise<void> {
  const stale = figureIds.filter((id) => !figures.some((figure) => figure.id === id));
  for (const id of stale) {
    for (const ending of ['svg', 'png']) await rm(join(folder, 'figures', `${id}.${ending}`), { force: true });
  }
}

/** A path as a relative address. */
function addressOf(path: string): string {
  const address = path.split(sep).map(encodeURIComponent).join('/');
  return address.startsWith('.') ? address : `./${address}`;
}
